/* SPDX-License-Identifier: GPL-2.0-only */
/* Tasks that end: zombies as they did, helpers when they are not needed any more. */
#include "flow/restore/ending.h"

#include <errno.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/log.h"
#include "engine/engine.h"
#include "kern/pidfd.h"
#include "lib/compel/restorer.h"
#include "plan/plan.h"
#include "task/pid-space.h"

/* Tells a task how to end; there is no answer to wait for but its death. */
int restore_end_task(struct restore *r, struct task *task)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();

	if (task->state == TASK_DEAD)
		TRY(phase_restore_plan(r, task->leader, plan));
	else
		plan_syscall(plan, "end the helper", __NR_exit_group, V(0));
	TRY(remote_post(task->leader->remote, plan));
	if (pidfd_wait_exit(task->restore->pidfd, GRACE_DEATH_MS) < 0)
		return refuse(ETIMEDOUT, "task %d (%s) did not end", task->vpid, task->comm);
	return 0;
}

int restore_reap_helper(struct restore *r, struct task *helper)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();

	plan_syscall(plan, "reap the helper", __NR_wait4, V(task_pid_for(helper, helper->parent)), V(0), V(0), V(0));
	return remote_run(helper->parent->leader->remote, plan, &r->progress->deadline);
}

int restore_dead(struct restore *r)
{
	struct task *task;

	for_each_task(task, r->tree) {
		if (task_is_live(task))
			continue;
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		TRY(restore_end_task(r, task));
	}
	for_each_task(task, r->tree)
		if (task->state == TASK_HELPER)
			TRY(restore_reap_helper(r, task));
	return 0;
}
