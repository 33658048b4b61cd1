/* SPDX-License-Identifier: GPL-2.0-only */
/* What can be refused as soon as the tree is known: who leads whom, and whether it may be killed. */
#include "flow/dump/check.h"

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
	if (d->tree->root->pid != 1 || d->options->end != OPT_END_KILL || d->progress->only_look)
		return 0;
	return dump_go_on(d, refuse(EPERM, "process 1 cannot be killed from within its pid namespace: run criu outside "
					   "of that namespace, or "
					   "dump with --leave-running"));
}

int dump_check_tree(struct dump *d)
{
	TRY(check_mortal(d));
	return check_sessions(d);
}
