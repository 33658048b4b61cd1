/* SPDX-License-Identifier: GPL-2.0-only */
/* What can be refused as soon as the tree is known: who leads whom, and whether it may be killed. */
#include "flow/dump-check.h"

#include <errno.h>

#include "base/fail.h"
#include "session/survey.h"

/* A session or group whose leader is not in the tree can only be taken from the terminal that restore is started on. */
static int check_sessions(struct dump *d)
{
	struct task *task;

	for_each_task(task, d->tree) {
		if (task->vsid != d->tree->root->vsid || task->vsid == d->tree->root->vpid || d->options->shell_job)
			continue;
		int error = refuse(EINVAL,
				   "task %d (%s): its session %d is led from outside the tree: dump with --shell-job "
				   "if it was started from a "
				   "shell, or start it with setsid",
				   task->vpid, task->comm, task->vsid);

		TRY(dump_go_on(d, error));
	}
	return 0;
}

/* The kernel protects the first process of a pid namespace from signals of those who live in it. */
static int check_mortal(struct dump *d)
{
	if (d->tree->root->pid != 1 || d->options->end != OPT_END_KILL || d->only_look)
		return 0;
	return dump_go_on(d, refuse(EPERM, "process 1 can't be killed from within its pid namespace: run criu outside "
					   "of that namespace, or "
					   "dump with --leave-running"));
}

static bool has_member(const struct task *task, pid_t session)
{
	const struct task *t;

	/* An ancestor: the task was forked before its parent left that session. */
	for (t = task->parent; t; t = t->parent)
		if (t->vsid == session)
			return true;
	for_each_child(t, task->parent)
		if (t != task && t->vsid == session && task_is_live(t))
			return true;
	return false;
}

/* What flow/ancestry.c could not build again is refused while the tasks still run. */
static int check_families(struct dump *d)
{
	struct task *task;

	for_each_task(task, d->tree) {
		if (!task->parent || task->vsid == task->vpid || has_member(task, task->vsid))
			continue;
		if (!task->vsid)
			TRY(dump_go_on(
				d,
				refuse(EOPNOTSUPP,
				       "task %d (%s): its session is led from outside of its pid namespace: that can't "
				       "be checkpointed yet",
				       task->vpid, task->comm)));
		if (!task_tree_find(d->tree, task->vsid))
			continue;
		int error = refuse(EOPNOTSUPP,
				   "task %d (%s): its session %d is led by a task that is not its sibling or ancestor: "
				   "this family cannot be "
				   "rebuilt yet",
				   task->vpid, task->comm, task->vsid);

		TRY(dump_go_on(d, error));
	}
	return 0;
}

int dump_check_tree(struct dump *d)
{
	TRY(check_mortal(d));
	TRY(check_sessions(d));
	return check_families(d);
}
