/* SPDX-License-Identifier: GPL-2.0-only */
/* Process groups: leaders first, then all that join them. */
#include "flow/restore/groups.h"

#include <errno.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "lib/compel/restorer.h"
#include "plan/plan.h"
#include "task/pid-space.h"

/* The group that a task has by its birth: that of its creator at that moment. 0: that of criu. */
static pid_t group_at_birth(const struct task *task)
{
	const struct task *creator = task->restore->creator;

	if (!creator)
		return 0;
	if (creator->vsid == creator->vpid && !task->restore->early)
		return creator->vpid;
	return group_at_birth(creator);
}

/* By itself, or by its parent if it cannot see the leader of the group. */
static int plan_group(const struct restore *r, const struct task *task, struct plan *plan, struct task **ret_who)
{
	pid_t pgid = task_own_pgid(r->tree, task), pid = 0;
	const struct task *leader = task_tree_find(r->tree, task->vpgid);

	*ret_who = (struct task *)task;
	if (!pgid && task->parent) {
		*ret_who = task->parent;
		pgid = task_pid_for(leader, task->parent);
		pid = task_pid_for(task, task->parent);
	}
	if (!pgid)
		return refuse(EOPNOTSUPP,
			      "its process group %d is led from outside of the pid namespaces of it and "
			      "of its parent: that cannot be rebuilt yet",
			      task->vpgid);
	plan_syscall(plan, plan_why(plan, "join process group %d", pgid), __NR_setpgid, V(pid), V(pgid));
	return 0;
}

static int set_group(struct restore *r, struct task *task, bool leaders)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();
	struct task *who;

	if (task->vsid == task->vpid || (task->vpgid == task->vpid) != leaders)
		return 0;
	if (task->vpgid == group_at_birth(task))
		return 0;
	/* The group of the shell that criu was started from. */
	if (!task_tree_find(r->tree, task->vpgid))
		return 0;
	LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
	TRY(plan_group(r, task, plan, &who));
	return plan_count(plan) ? remote_run(who->leader->remote, plan, &r->progress->deadline) : 0;
}

int restore_groups(struct restore *r)
{
	struct task *task;

	for_each_task(task, r->tree)
		TRY(set_group(r, task, true));
	for_each_task(task, r->tree)
		TRY(set_group(r, task, false));
	return 0;
}
