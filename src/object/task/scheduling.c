/* SPDX-License-Identifier: GPL-2.0-only */
/* How the scheduler treats a thread: policy, real-time priority, nice value; see sched(7). Done from outside in both
 * directions. */
#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* struct sched_attr of linux/sched/types.h, which does not get along with <sched.h>. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

#define FLAG_RESET_ON_FORK 0x01
#define FLAG_UTIL_CLAMP	   (0x20 | 0x40)
#define UTIL_MAX	   1024

static int read_attributes(pid_t tid, struct attributes *ret)
{
	*ret = (struct attributes){ .size = sizeof(*ret) };
	return syscall(__NR_sched_getattr, tid, ret, sizeof(*ret), 0) < 0 ? fail_errno("sched_getattr") : 0;
}

/* The kernel gives real-time threads all, unless they say otherwise (sched_util_clamp_min_rt_default); where it clamps
 * nothing both are 0. Before Linux 6.12 the time slice is 0, too. */
static int dump_attributes(struct thread *thread, int policy)
{
	ThreadCoreEntry *record = thread->core->thread_core;
	uint32_t usual_min = is_real_time(policy & ~RESET_ON_FORK) ? UTIL_MAX : 0;
	struct attributes its, own;

	TRY(read_attributes(thread->tid, &its));
	TRY(read_attributes(0, &own));
	if (its.util_max && (its.util_min != usual_min || its.util_max != UTIL_MAX)) {
		record->has_util_min = record->has_util_max = true;
		record->util_min = its.util_min;
		record->util_max = its.util_max;
	}
	record->has_slice_ns = !is_real_time(policy & ~RESET_ON_FORK) && its.runtime && its.runtime != own.runtime;
	record->slice_ns = record->has_slice_ns ? its.runtime : 0;
	return 0;
}

static int settle_attributes(struct thread *thread)
{
	const ThreadCoreEntry *record = thread->core->thread_core;
	struct attributes attributes = {
		.size = sizeof(attributes),
		.policy = record->sched_policy & ~(uint32_t)RESET_ON_FORK,
		.nice = record->sched_nice,
		.priority = record->sched_prio,
		.runtime = record->slice_ns,
		.util_min = record->util_min,
		.util_max = record->util_max,
	};

	if (!record->has_util_min && !record->has_slice_ns)
		return 0;
	if (record->sched_policy & RESET_ON_FORK)
		attributes.flags |= FLAG_RESET_ON_FORK;
	if (record->has_util_min)
		attributes.flags |= FLAG_UTIL_CLAMP;
	if (syscall(__NR_sched_setattr, thread->tid, &attributes, 0) < 0)
		return fail_errno(
			"setting its clamped utilisation or time slice (a kernel with uclamp? CAP_SYS_NICE?)");
	return 0;
}

static int dump_scheduling(const struct dump *d, struct thread *thread)
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
	return dump_attributes(thread, policy);
}

static int check_scheduling(const struct restore *r, struct thread *thread)
{
	const ThreadCoreEntry *record = thread->core->thread_core;
	int policy = (int)(record->sched_policy & ~RESET_ON_FORK);

	if (policy > POLICY_EXT || record->sched_prio > 99 || (record->sched_prio && !is_real_time(policy)) ||
	    (is_real_time(policy) && !record->sched_prio) || record->sched_nice < -20 || record->sched_nice > 19)
		return refuse(EINVAL, "scheduling policy %u, priority %u, nice %d: the image is damaged",
			      record->sched_policy, record->sched_prio, record->sched_nice);
	if (record->util_min > record->util_max || record->util_max > UTIL_MAX)
		return refuse(EINVAL, "its utilisation is clamped from %u to %u: the image is damaged",
			      record->util_min, record->util_max);
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
	return settle_attributes(thread);
}

const struct task_part scheduling_part = {
	.name = "scheduling",
	.outside = dump_scheduling,
	.check = check_scheduling,
	.settle = settle_scheduling,
};
