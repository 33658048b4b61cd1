/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers of processes, threads, groups and sessions: as we see them, and as the tree does in a pid namespace of its
 * own. */
#include "session/pids.h"

pid_t dump_inner_pid(const struct dump *d, pid_t outer)
{
	struct thread *thread;
	struct task *task;

	if (!d->facts->inner_pids)
		return outer;
	for_each_task(task, d->tree)
		for_each_thread(thread, task)
			if (thread->tid == outer || (thread == task->leader && task->pid == outer))
				return thread->vtid;
	/* A group or a session lives on without its leader. */
	for_each_task(task, d->tree) {
		if (task->dump->stat.pgrp == outer)
			return task->vpgid;
		if (task->dump->stat.session == outer)
			return task->vsid;
	}
	return 0;
}

pid_t restore_outer_pid(const struct restore *r, pid_t inner)
{
	const struct thread *thread;

	if (!r->facts->inner_pids)
		return inner;
	thread = task_tree_find_thread(r->tree, inner);
	if (!thread)
		return 0;
	return thread == thread->task->leader ? thread->task->pid : thread->tid;
}
