/* SPDX-License-Identifier: GPL-2.0-only */
/* Families that a restore could not build again are refused while the tasks still run: its own plan is made for a copy
 * of the tree. */
#include "flow/dump/families.h"

#include <stdio.h>

#include "base/auto.h"
#include "base/vector.h"
#include "flow/restore/ancestry.h"
#include "session/needs.h"
#include "session/survey.h"

static struct task *find_owner(const struct task_tree *tree, const struct task *task)
{
	struct task *other;

	for_each_task(other, tree)
		if (other != task && other->ids && other->ids->vm_id == task->ids->vm_id)
			return other;
	return NULL;
}

static void copy_task(struct restore *r, const struct task *task)
{
	struct task *parent = task->parent ? task_tree_find(r->tree, task->parent->vpid) : NULL;
	struct task *copy = task_tree_add(r->tree, parent, task->vpid);

	copy->vsid = task->vsid;
	copy->vpgid = task->vpgid;
	copy->state = task->state;
	snprintf(copy->comm, sizeof(copy->comm), "%s", task->comm);
	copy->restore = pool_new(r->pool, struct task_restore);
	copy->restore->proc = copy->restore->pidfd = -1;
	if (task_is_live(task) && task->ids) {
		copy->ids = task->ids;
		copy->restore->memory_from = find_owner(r->tree, copy);
	}
}

int dump_check_families(struct dump *d)
{
	struct needs needs = { 0 };
	struct restore r = { .needs = &needs };
	struct task *task;
	int error;

	restore_session_begin(&r, d->options);
	r.facts->inner_pids = d->facts->inner_pids;
	for_each_task(task, d->tree)
		copy_task(&r, task);
	error = ancestry_plan(&r);
	error = error < 0 ? error : r.progress->damage;
	restore_session_end(&r);
	vector_done(&needs.list);
	return dump_go_on(d, error);
}
