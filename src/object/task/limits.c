/* SPDX-License-Identifier: GPL-2.0-only */
/* Resource limits of a process, see getrlimit(2). Set at the very end: a lowered one must not hit the restore. */
#include "kern/proc/limits.h"

#include <inttypes.h>
#include <linux/capability.h>
#include <sys/resource.h>

#include "base/fail.h"
#include "base/log.h"
#include "object/task/part.h"
#include "object/task/self.h"
#include "plan/plan.h"

/* By number; the words of /proc/PID/limits. */
#define CAPACITY_FOR_PLANS 8192 /* the blob's page, and one for the plans of a task of few threads */

static const char *const names[RLIM_NLIMITS] = {
	"CPU time",	 "file size",	  "data size",	       "stack size",	   "core file size", "resident set",
	"processes",	 "open files",	  "locked memory",     "address space",	   "file locks",     "pending signals",
	"msgqueue size", "nice priority", "realtime priority", "realtime timeout",
};

/* A dump finds it out when it maps its plans into the task. */
static int guess_capacity(const struct dump *d, struct thread *leader)
{
	struct proc_limits limits;
	rlim_t limit;

	if (leader != leader->task->leader || proc_limits_read(leader->task->dump->proc, &limits) < 0)
		return 0;
	limit = limits.items[RLIMIT_AS].rlim_cur;
	if (limit == RLIM_INFINITY || limit >= leader->dump->status.vm_size_kb * 1024 + CAPACITY_FOR_PLANS)
		return 0;
	return refuse(
		ENOMEM,
		"the task has no room for %d bytes of criu: raise its limit of address space (prlimit --pid %d --as)",
		CAPACITY_FOR_PLANS, leader->tid);
}

static int dump_limits(const struct dump *d, struct thread *thread)
{
	TaskRlimitsEntry *record;
	struct proc_limits limits;
	RlimitEntry *entries;
	int error;

	if (thread != thread->task->leader)
		return 0;
	error = proc_limits_read(thread->task->dump->proc, &limits);
	if (error < 0)
		return fail(-error, "reading the limits");
	record = pool_new(d->pool, TaskRlimitsEntry);
	task_rlimits_entry__init(record);
	record->n_rlimits = RLIM_NLIMITS;
	record->rlimits = pool_array(d->pool, RlimitEntry *, RLIM_NLIMITS);
	entries = pool_array(d->pool, RlimitEntry, RLIM_NLIMITS);
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		rlimit_entry__init(&entries[i]);
		entries[i].cur = limits.items[i].rlim_cur;
		entries[i].max = limits.items[i].rlim_max;
		record->rlimits[i] = &entries[i];
	}
	thread->core->tc->rlimits = record;
	return 0;
}

static bool may_raise(const struct restore *r)
{
	return restore_self_of(r)->status.cap_effective >> CAP_SYS_RESOURCE & 1;
}

/*
 * The default limits of processes, pending signals and locked memory follow from the size of the memory: a checkpoint
 * of a machine that has a little more of it must not be lost for that.
 */
static int check_limits(const struct restore *r, struct thread *thread)
{
	const TaskRlimitsEntry *record = thread == thread->task->leader ? thread->core->tc->rlimits : NULL;

	if (!record)
		return 0;
	if (record->n_rlimits > RLIM_NLIMITS)
		return refuse(EINVAL, "the record has %zu limits: the image is damaged", record->n_rlimits);
	for (size_t i = 0; i < record->n_rlimits; i++) {
		const RlimitEntry *limit = record->rlimits[i];
		uint64_t ours = restore_self_of(r)->limits[i].rlim_max;

		if (limit->cur > limit->max)
			return refuse(EINVAL,
				      "the limit of %s is %" PRIu64 " of at most %" PRIu64 ": the image is damaged",
				      names[i], limit->cur, limit->max);
		if (limit->max <= ours || may_raise(r))
			continue;
		if (r->options->strict_rlimits)
			return refuse(EPERM,
				      "the limit of %s was %" PRIu64 ", at most %" PRIu64
				      ", and ours is at most %" PRIu64
				      ": start criu with a higher one (ulimit -H), with CAP_SYS_RESOURCE or without "
				      "--strict-rlimits",
				      names[i], limit->cur, limit->max, ours);
		log_warn("the hard limit of %s falls from %" PRIu64 " to ours, %" PRIu64
			 " (criu lacks CAP_SYS_RESOURCE)%s",
			 names[i], limit->max, ours, limit->cur > ours ? ", and the soft one with it" : "");
	}
	return 0;
}

/* As long as the task may do so: raises hard limits that are above ours. */
static int plan_limits(struct restore *r, struct thread *thread, struct plan *plan)
{
	const TaskRlimitsEntry *record = thread == thread->task->leader ? thread->core->tc->rlimits : NULL;

	for (unsigned i = 0; record && i < record->n_rlimits; i++) {
		struct rlimit raised = { restore_self_of(r)->limits[i].rlim_cur, record->rlimits[i]->max };

		if (raised.rlim_max <= restore_self_of(r)->limits[i].rlim_max || !may_raise(r))
			continue;
		if (!r->facts->ids && !thread->task->restore->inner_users)
			plan_syscall(plan, plan_why(plan, "raise the limit of %s", names[i]), __NR_prlimit64, V(0),
				     V(i), D(plan_data(plan, &raised, sizeof(raised))), V(0));
		/* In a user namespace of its own a task has no power over its limits. */
		else if (prlimit(thread->task->pid, (__rlimit_resource_t)i, &raised, NULL) < 0)
			return fail_errno("raising the limit of %s", names[i]);
	}
	return 0;
}

static int last_limits(struct restore *r, struct thread *thread, struct plan *plan)
{
	const TaskRlimitsEntry *record = thread == thread->task->leader ? thread->core->tc->rlimits : NULL;

	for (unsigned i = 0; record && i < record->n_rlimits; i++) {
		struct rlimit want = { record->rlimits[i]->cur, record->rlimits[i]->max };

		if (want.rlim_max > restore_self_of(r)->limits[i].rlim_max && !may_raise(r)) {
			want.rlim_max = restore_self_of(r)->limits[i].rlim_max;
			if (want.rlim_cur > want.rlim_max)
				want.rlim_cur = want.rlim_max;
		}
		/* New tasks inherit ours; that of open files may have been raised since. */
		if (i != RLIMIT_NOFILE && want.rlim_cur == restore_self_of(r)->limits[i].rlim_cur &&
		    want.rlim_max == restore_self_of(r)->limits[i].rlim_max)
			continue;
		plan_syscall(plan, plan_why(plan, "set the limit of %s", names[i]), __NR_prlimit64, V(0), V(i),
			     D(plan_data(plan, &want, sizeof(want))), V(0));
	}
	return 0;
}

const struct task_part limits_part = {
	.name = "limits",
	.aside = dump_limits,
	.guess = guess_capacity,
	.check = check_limits,
	.plan = plan_limits,
	.last = last_limits,
};
