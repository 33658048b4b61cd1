/* SPDX-License-Identifier: GPL-2.0-only */
/* How the scheduler treats a thread: policy, real-time priority, nice value; see sched(7). Done from outside in both
 * directions. */
#include <errno.h>
#include <sched.h>
#include <sys/resource.h>

#include "base/fail.h"
#include "object/task/part.h"

/* sched(7), policies that libc headers may lack. */
#define POLICY_DEADLINE 6
#define POLICY_EXT	7
#define RESET_ON_FORK	0x40000000

static bool is_real_time(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static int dump_scheduling(struct dump *d, struct thread *thread)
{
	ThreadCoreEntry *record = thread->core->thread_core;
	struct sched_param param;
	int policy = sched_getscheduler(thread->tid), nice;

	if (policy < 0)
		return fail_errno("sched_getscheduler");
	if ((policy & ~RESET_ON_FORK) == POLICY_DEADLINE)
		return refuse(
			EOPNOTSUPP,
			"is scheduled as SCHED_DEADLINE, for which the image format has no place; checkpoint it under "
			"another policy (chrt --other --pid 0 %d)",
			thread->tid);
	record->has_sched_policy = true;
	record->sched_policy = (uint32_t)policy;
	if (is_real_time(policy & ~RESET_ON_FORK)) {
		if (sched_getparam(thread->tid, &param) < 0)
			return fail_errno("sched_getparam");
		record->has_sched_prio = true;
		record->sched_prio = (uint32_t)param.sched_priority;
	}
	errno = 0;
	nice = getpriority(PRIO_PROCESS, (id_t)thread->tid);
	if (errno)
		return fail_errno("getpriority");
	record->has_sched_nice = true;
	record->sched_nice = nice;
	return 0;
}

static int check_scheduling(struct restore *r, struct thread *thread)
{
	const ThreadCoreEntry *record = thread->core->thread_core;
	int policy = (int)(record->sched_policy & ~RESET_ON_FORK);

	if (policy > POLICY_EXT || record->sched_prio > 99 || (record->sched_prio && !is_real_time(policy)) ||
	    (is_real_time(policy) && !record->sched_prio) || record->sched_nice < -20 || record->sched_nice > 19)
		return refuse(EINVAL, "scheduling policy %u, priority %u, nice %d: the image is damaged",
			      record->sched_policy, record->sched_prio, record->sched_nice);
	if (policy == POLICY_DEADLINE)
		return refuse(EOPNOTSUPP, "SCHED_DEADLINE cannot be restored: the image lacks its parameters");
	return 0;
}

/* At the very end: a real-time thread must not keep us from the rest. */
static int settle_scheduling(struct restore *r, struct thread *thread)
{
	const ThreadCoreEntry *record = thread->core->thread_core;
	struct sched_param param = { .sched_priority = (int)record->sched_prio };

	errno = 0;
	if (record->has_sched_nice && getpriority(PRIO_PROCESS, (id_t)thread->tid) != record->sched_nice &&
	    setpriority(PRIO_PROCESS, (id_t)thread->tid, record->sched_nice) < 0)
		return fail_errno("setting nice to %d", record->sched_nice);
	if (record->has_sched_policy && sched_getscheduler(thread->tid) != (int)record->sched_policy &&
	    sched_setscheduler(thread->tid, (int)record->sched_policy, &param) < 0)
		return fail_errno("setting the scheduling policy %u, priority %u (CAP_SYS_NICE?)", record->sched_policy,
				  record->sched_prio);
	return 0;
}

const struct task_part scheduling_part = {
	.name = "scheduling",
	.outside = dump_scheduling,
	.check = check_scheduling,
	.settle = settle_scheduling,
};
