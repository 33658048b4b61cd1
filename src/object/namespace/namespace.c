/* SPDX-License-Identifier: GPL-2.0-only */
/* Which namespaces the tasks live in, by the inodes behind /proc/PID/ns; the phases of a dump. */
#include "kern/proc/proc.h"
#include "object/namespace/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "engine/engine.h"
#include "image/inventory.h"
#include "object/namespace/kept.h"
#include "object/namespace/time.h"
#include "object/namespace/user-owners.h"
#include "session/survey.h"

const struct namespace_kind *namespace_kind_find(uint32_t flag)
{
	const struct namespace_kind *const *kind = namespace_kinds;

	while (*kind && (*kind)->flag != flag)
		kind++;
	return *kind;
}

static uint32_t get_id(const TaskKobjIdsEntry *ids, const struct namespace_kind *kind)
{
	if (!*(const protobuf_c_boolean *)((const char *)ids + kind->has_id))
		return 0;
	return *(const uint32_t *)((const char *)ids + kind->id);
}

static void set_id(TaskKobjIdsEntry *ids, const struct namespace_kind *kind, uint32_t id)
{
	*(protobuf_c_boolean *)((char *)ids + kind->has_id) = true;
	*(uint32_t *)((char *)ids + kind->id) = id;
}

struct namespace *namespace_of(const struct namespace_set *set, const struct task *task,
			       const struct namespace_kind *kind)
{
	struct namespace *ns;
	uint32_t id = task->ids ? get_id(task->ids, kind) : 0;

	if (!id)
		return NULL;
	for_each_namespace(ns, set)
		if (ns->kind == kind && ns->id == id)
			return ns;
	return NULL;
}

bool namespace_of_root(const struct namespace_set *set, const struct task_tree *tree, uint32_t flag,
		       struct namespace **ret)
{
	struct namespace *ns = set ? namespace_of(set, tree->root, namespace_kind_find(flag)) : NULL;

	if (ret)
		*ret = ns;
	return ns && !ns->own;
}

/* 0 if the kernel has none of that kind. */
static int find_inode(int proc, const char *name, ino_t *ret)
{
	char path[32];
	int error;

	snprintf(path, sizeof(path), "ns/%s", name);
	*ret = 0;
	error = proc_namespace(proc, path, ret);
	return !error || error == -ENOENT ? 0 : fail(-error, "looking at its %s namespace", name);
}

struct namespace *namespaces_dump_add(const struct dump *d, const struct namespace_kind *kind, ino_t inode)
{
	struct namespace *ns = pool_new(d->pool, struct namespace);

	ns->kind = kind;
	ns->id = ++dump_namespaces(d)->last_id;
	ns->inode = inode;
	ns->fd = -1;
	*vector_push(&dump_namespaces(d)->list) = ns;
	return ns;
}

static void destroy_set(void *state)
{
	struct namespace_set *set = state;
	struct namespace *ns;

	for_each_namespace(ns, set)
		if (ns->fd >= 0)
			close(ns->fd);
	vector_done(&set->list);
	running_still_done(&set->still);
}

const struct state_type namespace_state = { sizeof(struct namespace_set), destroy_set };

struct namespace_set *dump_namespaces(const struct dump *d)
{
	return state_find(d->states, &namespace_state);
}

struct namespace_set *restore_namespaces(const struct restore *r)
{
	return state_find(r->states, &namespace_state);
}

int namespaces_dump_begin(struct dump *d)
{
	TaskKobjIdsEntry *ids = pool_new(d->pool, TaskKobjIdsEntry);
	AUTO_CLOSE int self = open("/proc/self", O_PATH | O_CLOEXEC);
	struct stat st;
	ino_t inode;

	if (self < 0)
		return fail_errno("opening /proc/self");
	if (fstatat(self, "ns/mnt", &st, 0) < 0)
		return fail_errno("looking at our mount namespace");
	((struct namespace_set *)state_make(d->states, &namespace_state))->nsfs = st.st_dev;
	task_kobj_ids_entry__init(ids);
	ids->vm_id = ids->files_id = ids->fs_id = ids->sighand_id = 1;
	for (const struct namespace_kind *const *kind = namespace_kinds; *kind; kind++) {
		TRY(find_inode(self, (*kind)->name, &inode));
		namespaces_dump_add(d, *kind, inode)->own = true;
		set_id(ids, *kind, dump_namespaces(d)->last_id);
	}
	d->inventory->root_ids = ids;
	return 0;
}

int namespaces_dump_prepare(struct dump *d)
{
	AUTO_CLOSE int proc = proc_open(d->options->pid);

	if (proc >= 0) /* else it is told later */
		running_still_look(&dump_namespaces(d)->still, proc);
	return 0;
}

static int refuse_kind(const struct task *task, const struct namespace_kind *kind)
{
	return refuse(EOPNOTSUPP,
		      "it lives in a %s namespace of its own, which cannot be checkpointed yet; run criu inside "
		      "(nsenter -t %d --%s)",
		      kind->name, task->pid, kind->name);
}

/* One that is seen for the first time. */
static int check_new(const struct dump *d, const struct namespace *ns)
{
	if (!ns->kind->dump)
		return refuse_kind(ns->task, ns->kind);
	if (!ns->of_root && (!ns->kind->nested || (ns->own && ns->kind->flag == CLONE_NEWUSER)))
		return refuse(EOPNOTSUPP,
			      "it lives in another %s namespace than the root of the tree, %d: that cannot be "
			      "checkpointed yet",
			      ns->kind->name, d->tree->root->pid);
	return 0;
}

static int dump_kind(const struct dump *d, struct task *task, const struct namespace_kind *kind)
{
	const struct thread *other = task->leader->dump ? task->leader->dump->shares.namespaces : NULL;
	struct namespace *ns, *found = NULL;
	ino_t inode;

	if (other && !(kind->flag & (CLONE_NEWUSER | CLONE_NEWPID)) &&
	    namespace_of(dump_namespaces(d), other->task, kind)) {
		set_id(task->ids, kind, get_id(other->task->ids, kind));
		return 0;
	}
	TRY(find_inode(task->dump->proc, kind->name, &inode));
	for_each_namespace(ns, dump_namespaces(d))
		if (ns->kind == kind && ns->inode == inode)
			found = ns;
	ns = found ?: namespaces_dump_add(d, kind, inode);
	set_id(task->ids, kind, ns->id);
	if (ns->task)
		return 0;
	ns->task = task;
	ns->of_root = task == d->tree->root;
	if (!ns->own) {
		dump_namespaces(d)->any = true;
		log_info("%s namespace %u is [%lu]", kind->name, ns->id, inode);
		TRY(check_new(d, ns));
		return kind->found ? kind->found(d, ns) : 0;
	}
	/* The root lives elsewhere, and this one has come back to where criu is. */
	return ns->of_root || namespace_of(dump_namespaces(d), d->tree->root, kind) == ns ? 0 : check_new(d, ns);
}

int namespaces_dump_task(const struct dump *d, struct task *task)
{
	for (const struct namespace_kind *const *kind = namespace_kinds; *kind; kind++)
		TRY(dump_go_on(d, dump_kind(d, task, *kind)));
	if (task == d->tree->root)
		d->facts->own_network = namespace_of_root(dump_namespaces(d), d->tree, CLONE_NEWNET, NULL);
	return 0;
}

/* unshare(2) and setns(2) move single threads. Where that takes a process of one thread, or a current directory of its
 * own, others look (mount, user), and those for children have their own parts. */
static bool can_differ(const struct namespace_kind *kind)
{
	return kind->flag & (CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP);
}

int namespaces_dump_thread(const struct dump *d, struct thread *thread)
{
	const struct task *task = thread->task;
	char path[64];
	ino_t inode;

	if (thread == task->leader || thread->dump->shares.namespaces)
		return 0;
	for (const struct namespace_kind *const *kind = namespace_kinds; *kind; kind++) {
		const struct namespace *ns = can_differ(*kind) ? namespace_of(dump_namespaces(d), task, *kind) : NULL;

		snprintf(path, sizeof(path), "task/%d/ns/%s", thread->tid, (*kind)->name);
		if (!ns || proc_namespace(task->dump->proc, path, &inode) < 0 || inode == ns->inode)
			continue;
		TRY(dump_go_on(d, refuse(EOPNOTSUPP,
					 "thread %d lives in a %s namespace of its own (unshare(2), setns(2)): the "
					 "image format has no place for it; checkpoint when this thread has ended",
					 thread->tid, (*kind)->name)));
	}
	return 0;
}

/* The list may grow meanwhile. */
static int collect_some(const struct dump *d, bool mounts)
{
	struct namespace *ns;

	for_each_namespace(ns, dump_namespaces(d)) {
		if (ns->own || ns->joined || !namespace_is_held(ns) || !ns->kind->collect ||
		    (ns->kind->flag == CLONE_NEWNS) != mounts)
			continue;
		LOG_SCOPE("%s namespace %u", ns->kind->name, ns->id);
		TRY(phase_pass_dump(d, PHASE_dump_collect, "namespace", ns->kind->name));
		TRY(dump_go_on(d, ns->kind->collect(d, ns)));
	}
	return 0;
}

/* Mounts first: mounted files keep namespaces in which nobody lives, with which the others are looked at. */
int namespaces_dump_collect(const struct dump *d)
{
	TRY(user_collect_owners(d));
	TRY(namespaces_find_kept(d));
	TRY(collect_some(d, true));
	return collect_some(d, false);
}

int namespaces_dump_write(struct dump *d)
{
	struct namespace *ns;

	for_each_namespace(ns, dump_namespaces(d)) {
		if (ns->own || ns->joined)
			continue;
		LOG_SCOPE("%s namespace %u", ns->kind->name, ns->id);
		TRY(phase_pass_dump(d, PHASE_dump_write, "namespace", ns->kind->name));
		TRY(ns->kind->dump(d, ns));
	}
	return time_dump_host(d);
}
