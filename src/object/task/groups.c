/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sessions and groups that reach beyond the tree: setpgid(2), setsid(2). As long as a process is in one, no other
 * process gets its number, which is also the pid of the one that made it.
 */
#include "object/task/groups.h"

#include "base/auto.h"
#include "base/log.h"
#include "kern/proc/proc.h"
#include "kern/proc/running.h"
#include "kern/proc/stat.h"
#include "object/task/part.h"

static bool tell_of_member(void *arg, pid_t pid, pid_t session, pid_t group)
{
	const struct dump *d = arg;
	const struct task *task = task_tree_find(d->tree, session);
	struct proc_stat stat;
	AUTO_CLOSE int proc = -1;

	if (!task && session != group)
		task = task_tree_find(d->tree, group);
	if (!task || task_tree_find(d->tree, pid))
		return false;
	proc = proc_open(pid);
	if (proc < 0 || proc_stat_read(proc, &stat) < 0 || stat.state == 'Z' || stat.state == 'X')
		return false;
	log_warn("process %d (%s), outside of the tree, is in the %s %d, which task %d (%s) has made: until it ends, a "
		 "restore gets the pid %d in a new pid namespace only (--new-pidns)",
		 pid, stat.comm, task->vpid == session ? "session" : "process group", task->vpid, task->vpid,
		 task->comm, task->vpid);
	return false;
}

static void tell_of_members(const struct dump *d)
{
	if (d->options->end == OPT_END_KILL && !d->facts->inner_pids)
		running_visit_groups(tell_of_member, (void *)d);
}

/* In a survey, which kills nobody. */
static int tell_in_survey(const struct dump *d, struct thread *thread)
{
	if (thread == d->tree->root->leader)
		tell_of_members(d);
	return 0;
}

/* Nobody stands still any more while all processes of the machine are looked at. */
void groups_dump_killed(struct dump *d)
{
	tell_of_members(d);
}

const struct task_part groups_part = {
	.name = "groups",
	.guess = tell_in_survey,
};
