/* SPDX-License-Identifier: GPL-2.0-only */
/* Ids in user namespaces within that of the root. Images have those that the root sees; who lives in there can take
 * only what has a number there. */
#include "object/namespace/user-ids.h"

#include <sched.h>
#include <string.h>

#include "base/fail.h"
#include "object/namespace/namespace.h"
#include "session/ids.h"
#include "session/pids.h"
#include "userns.pb-c.h"

static uint32_t find_inner(UidGidExtent *const *map, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (id - map[i]->lower_first < map[i]->count)
			return map[i]->first + (id - map[i]->lower_first);
	return NO_ID;
}

uint32_t user_inner_uid(const struct namespace *ns, uint32_t uid)
{
	const UsernsEntry *entry = ns ? ns->data : NULL;

	return entry ? find_inner(entry->uid_map, entry->n_uid_map, uid) : uid;
}

uint32_t user_inner_gid(const struct namespace *ns, uint32_t gid)
{
	const UsernsEntry *entry = ns ? ns->data : NULL;

	return entry ? find_inner(entry->gid_map, entry->n_gid_map, gid) : gid;
}

bool user_same_groups(const CredsEntry *a, const CredsEntry *b)
{
	return a->n_groups == b->n_groups &&
	       (!a->n_groups || !memcmp(a->groups, b->groups, a->n_groups * sizeof(*a->groups)));
}

static bool can_take_uid(const struct namespace *ns, uint32_t from, uint32_t to)
{
	return from == to || user_inner_uid(ns, to) != NO_ID;
}

static bool can_take_gid(const struct namespace *ns, uint32_t from, uint32_t to)
{
	return from == to || user_inner_gid(ns, to) != NO_ID;
}

static bool can_take_groups(const struct namespace *ns, const CredsEntry *from, const CredsEntry *to)
{
	const UsernsEntry *entry = ns->data;

	if (user_same_groups(from, to))
		return true;
	for (size_t i = 0; i < to->n_groups; i++)
		if (user_inner_gid(ns, to->groups[i]) == NO_ID)
			return false;
	return !entry->setgroups_denied && entry->n_gid_map;
}

/* The kernel sets those of the file system along with the effective ones. */
static bool has_file_ids(const struct namespace *ns, const CredsEntry *from, const CredsEntry *to)
{
	bool users = from->uid == to->uid && from->euid == to->euid && from->suid == to->suid,
	     groups = from->gid == to->gid && from->egid == to->egid && from->sgid == to->sgid;

	return (users || user_inner_uid(ns, to->fsuid) != NO_ID) && (groups || user_inner_gid(ns, to->fsgid) != NO_ID);
}

bool user_can_take(const struct namespace *ns, const CredsEntry *from, const CredsEntry *to)
{
	return !ns || (has_file_ids(ns, from, to) && can_take_uid(ns, from->uid, to->uid) &&
		       can_take_uid(ns, from->euid, to->euid) && can_take_uid(ns, from->suid, to->suid) &&
		       can_take_uid(ns, from->fsuid, to->fsuid) && can_take_gid(ns, from->gid, to->gid) &&
		       can_take_gid(ns, from->egid, to->egid) && can_take_gid(ns, from->sgid, to->sgid) &&
		       can_take_gid(ns, from->fsgid, to->fsgid) && can_take_groups(ns, from, to));
}

/* Who makes a pid namespace that belongs to a user namespace lives in there, and so do all that come after it. */
static const struct task *find_first(const struct dump *d, const struct task *task, const struct namespace **ret)
{
	for (task = task->parent; task; task = task->parent) {
		const struct pid_space *space = task->pid_space;
		const struct namespace *ns;

		if (!space || space->first != task)
			continue;
		for_each_namespace(ns, dump_namespaces(d))
			if (ns->inode == space->inode && ns->kind->flag == CLONE_NEWPID && ns->owner) {
				*ret = ns->owner;
				return task;
			}
	}
	return NULL;
}

static const CredsEntry *creds_of(const struct thread *thread)
{
	return thread->core && thread->core->thread_core ? thread->core->thread_core->creds : NULL;
}

int user_check_ids(const struct dump *d, const struct thread *thread)
{
	const struct namespace_kind *kind = namespace_kind_find(CLONE_NEWUSER);
	const struct task *task = thread->task, *first;
	const struct namespace *own = namespace_of(dump_namespaces(d), task, kind), *ns;
	const CredsEntry *creds = creds_of(thread), *from;

	if (!own || own->own || own->of_root || !creds)
		return 0;
	from = thread == task->leader ? creds : creds_of(task->leader);
	if (from && !user_can_take(own, from, creds))
		return refuse(EOPNOTSUPP,
			      "its threads have different ids, and such as cannot be taken in the user namespace that "
			      "it lives in: that cannot be checkpointed yet");
	first = find_first(d, task, &ns);
	from = first ? creds_of(first->leader) : NULL;
	if (from && !user_can_take(ns, from, creds))
		return refuse(EOPNOTSUPP,
			      "it has ids that cannot be taken in the user namespace that its pid namespace belongs "
			      "to: that cannot be checkpointed yet");
	return 0;
}
