/* SPDX-License-Identifier: GPL-2.0-only */
/* Which thread is in which cgroups: /proc/PID/task/TID/cgroup. Threads that are in the same ones have the same set. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "image/inventory.h"
#include "image/record.h"
#include "kern/proc/cgroup.h"
#include "kern/proc/proc.h"
#include "object/cgroup/hierarchy.h"
#include "object/cgroup/load.h"
#include "object/cgroup/tree.h"
#include "object/namespace/namespace.h"
#include "object/task/part.h"

#define OWN_SET 1 /* that of criu */

struct set {
	uint32_t id;
	const char *text;	     /* of the file */
	const struct namespace *ns;  /* whose root the paths have in that cgroup namespace, NULL for criu's own */
	const struct thread *thread; /* one that is in it */
	struct set *next;
};

struct cgroup_dump {
	struct proc_cgroups own; /* of criu */
	struct set *sets;	 /* that of the last thread first */
	uint32_t n_sets;
	CgroupEntry *entry;
};

static const struct state_type cgroup_dump_state = { sizeof(struct cgroup_dump), NULL };

/* NULL: not our business. */
static struct cgroup_dump *cgroup_dump_of(const struct dump *d)
{
	return state_find(d->states, &cgroup_dump_state);
}

/* An ordinary user has no power over cgroups. */
static bool is_our_business(const struct dump *d)
{
	return !d->options->unprivileged && geteuid() == 0;
}

static struct set *add_set(const struct dump *d, const char *text, const struct namespace *ns,
			   const struct thread *thread)
{
	struct set *set = pool_new(d->pool, struct set);

	*set = (struct set){ ++cgroup_dump_of(d)->n_sets, pool_string(d->pool, text), ns, thread,
			     cgroup_dump_of(d)->sets };
	cgroup_dump_of(d)->sets = set;
	return set;
}

/* Threads that follow each other are mostly in the same set. */
static struct set *find_set(const struct dump *d, const char *text, const struct thread *thread)
{
	const struct namespace *ns =
		namespace_of(dump_namespaces(d), thread->task, namespace_kind_find(CLONE_NEWCGROUP));
	struct set **place, *set;

	if (ns && ns->own)
		ns = NULL;

	for (place = &cgroup_dump_of(d)->sets; (set = *place); place = &set->next)
		if (set->ns == ns && !strcmp(set->text, text)) {
			*place = set->next;
			set->next = cgroup_dump_of(d)->sets;
			return cgroup_dump_of(d)->sets = set;
		}
	return add_set(d, text, ns, thread);
}

static int begin_sets(struct dump *d)
{
	AUTO(property_rules_done) struct property_rules rules = { 0 };
	AUTO(proc_cgroups_done) struct proc_cgroups own = { 0 };
	AUTO(buffer_done) struct buffer text = { 0 };
	AUTO_CLOSE int self = proc_open(getpid());
	int error;

	if (!is_our_business(d))
		return 0;
	TRY(cgroup_rules_read(d->options, d->pool, &rules)); /* better refused now than when all is saved */
	TRY(self);
	error = proc_read_record(self, "cgroup", &text);
	if (error == -ENOENT) /* a kernel without cgroups */
		return 0;
	TRY(error);
	state_make(d->states, &cgroup_dump_state);
	add_set(d, text.data ?: "", NULL, NULL);
	TRY(proc_cgroups_parse(pool_string(d->pool, text.data ?: ""), d->pool, &own));
	cgroup_dump_of(d)->own = own;
	cgroup_dump_of(d)->own.items = pool_copy(d->pool, own.items, own.n * sizeof(*own.items));
	return 0;
}

static int dump_set(const struct dump *d, struct thread *thread)
{
	AUTO(buffer_done) struct buffer text = { 0 };
	const struct thread *other = thread->dump->shares.cgroups;
	int error;

	if (!cgroup_dump_of(d))
		return 0;
	if (other && thread->dump->shares.namespaces && other->core->thread_core->has_cg_set) {
		thread->core->thread_core->has_cg_set = true;
		thread->core->thread_core->cg_set = other->core->thread_core->cg_set;
		return 0;
	}
	error = proc_read_thread_record(thread->task->dump->proc, thread->tid, "cgroup", &text);
	if (error == -ENOENT || error == -ESRCH)
		return fail(-error, "reading its cgroups");
	TRY(error);
	thread->core->thread_core->has_cg_set = true;
	thread->core->thread_core->cg_set = find_set(d, text.data ?: "", thread)->id;
	return 0;
}

static int compare_members(const void *a, const void *b)
{
	return strcmp((*(CgMemberEntry *const *)a)->name, (*(CgMemberEntry *const *)b)->name);
}

static bool is_wanted(const struct dump *d, const char *controllers)
{
	const struct opt_list *only = &d->options->cgroup_dump_controllers;

	for (size_t i = 0; i < only->n; i++)
		if (controllers_have(controllers, only->items[i]))
			return true;
	return only->n == 0;
}

/* --- the roots of cgroup namespaces --- */

struct cgroup_look {
	const struct dump *d;
	int proc;
	struct proc_cgroups cgroups;
};

static int look_from_inside(void *arg)
{
	struct cgroup_look *look = arg;

	return proc_cgroups_read(look->proc, look->d->pool, &look->cgroups);
}

/* As seen from inside, the path lacks what stands above the root. */
static int find_prefix(const struct proc_cgroups *inside, CgMemberEntry *member)
{
	const struct proc_cgroup *found = hierarchy_find(inside, member->name);
	size_t size = strlen(member->path), rest;

	if (!found)
		return refuse(EINVAL, "its cgroup namespace does not have the cgroups of %s", member->name);
	rest = strcmp(found->path, "/") != 0 ? strlen(found->path) : 0;
	if (rest > size || (rest && strcmp(member->path + size - rest, found->path) != 0))
		return refuse(EOPNOTSUPP,
			      "the cgroup %s of %s lies outside of the root of its cgroup namespace: it cannot be "
			      "checkpointed yet",
			      member->path, *member->name ? member->name : "cgroup2");
	member->has_cgns_prefix = true;
	member->cgns_prefix = (uint32_t)(size - rest);
	return 0;
}

static int find_prefixes(const struct dump *d, const struct set *set, CgSetEntry *entry)
{
	AUTO_CLOSE int proc = proc_open_thread(set->thread->task->dump->proc, set->thread->tid);
	struct cgroup_look look = { d, proc, { 0 } };
	int error;

	TRY(proc);
	error = namespace_run(set->thread->task->dump->proc, CLONE_NEWCGROUP, look_from_inside, &look);
	for (size_t i = 0; i < entry->n_ctls && error == 0; i++)
		error = find_prefix(&look.cgroups, entry->ctls[i]);
	proc_cgroups_done(&look.cgroups);
	return error;
}

static int add_members(const struct dump *d, const struct set *set, CgSetEntry *entry)
{
	AUTO(proc_cgroups_done) struct proc_cgroups cgroups = { 0 };

	TRY(proc_cgroups_parse(pool_string(d->pool, set->text), d->pool, &cgroups));
	entry->ctls = pool_array(d->pool, CgMemberEntry *, cgroups.n + 1);
	for (size_t i = 0; i < cgroups.n; i++) {
		CgMemberEntry *member = pool_new(d->pool, CgMemberEntry);

		if (!is_wanted(d, cgroups.items[i].controllers))
			continue;
		if (!strncmp(cgroups.items[i].path, "/..", 3))
			return refuse(EOPNOTSUPP,
				      "a task is in the cgroup %s of %s, which lies outside of criu's own cgroup "
				      "namespace: run criu in that of the host",
				      cgroups.items[i].path,
				      *cgroups.items[i].controllers ? cgroups.items[i].controllers : "cgroup2");
		cg_member_entry__init(member);
		member->name = (char *)cgroups.items[i].controllers;
		member->path = (char *)cgroups.items[i].path;
		entry->ctls[entry->n_ctls++] = member;
	}
	qsort(entry->ctls, entry->n_ctls, sizeof(*entry->ctls), compare_members);
	return set->ns ? find_prefixes(d, set, entry) : 0;
}

static int compare_sets(const void *a, const void *b)
{
	uint32_t left = (*(CgSetEntry *const *)a)->id, right = (*(CgSetEntry *const *)b)->id;

	return (left > right) - (left < right);
}

static int finish_sets(const struct dump *d)
{
	CgroupEntry *entry;

	if (!cgroup_dump_of(d))
		return 0;
	entry = cgroup_dump_of(d)->entry = pool_new(d->pool, CgroupEntry);
	cgroup_entry__init(entry);
	d->inventory->has_root_cg_set = true;
	d->inventory->root_cg_set = OWN_SET;
	entry->sets = pool_array(d->pool, CgSetEntry *, cgroup_dump_of(d)->n_sets);
	for (const struct set *set = cgroup_dump_of(d)->sets; set; set = set->next) {
		CgSetEntry *record;

		if (set->id == OWN_SET)
			continue;
		record = entry->sets[entry->n_sets++] = pool_new(d->pool, CgSetEntry);
		cg_set_entry__init(record);
		record->id = set->id;
		TRY(add_members(d, set, record));
	}
	qsort(entry->sets, entry->n_sets, sizeof(*entry->sets), compare_sets);
	return 0;
}

static int write_sets(struct dump *d)
{
	if (!cgroup_dump_of(d) || !cgroup_dump_of(d)->entry->n_sets)
		return 0;
	TRY(cgroup_dump_trees(d, &cgroup_dump_of(d)->own, cgroup_dump_of(d)->entry));
	return image_write_one(dump_store(d), IMAGE_CGROUP, cgroup_dump_of(d)->entry);
}

const struct task_part sets_part = {
	.name = "sets",
	.begin = begin_sets,
	.aside = dump_set,
	.finish = finish_sets,
	.write = write_sets,
	.load = cgroup_restore_load,
	.check = cgroup_restore_check,
};
