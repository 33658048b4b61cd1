/* SPDX-License-Identifier: GPL-2.0-only */
/* How the scheduler treats a thread: policy, real-time priority, nice value; see sched(7). Done from outside in both
 * directions. */
#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fail.h"
#include "object/task/host.h"
#include "object/task/part.h"

/* sched(7), policies that libc headers may lack. */
#define POLICY_DEADLINE 6
#define POLICY_EXT	7
#define RESET_ON_FORK	0x40000000

static bool is_real_time(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

#define FLAG_RESET_ON_FORK 0x01
#define FLAG_UTIL_CLAMP	   (0x20 | 0x40)
#define UTIL_MAX	   1024

static int read_attributes(pid_t tid, struct scheduling *ret)
{
	return scheduling_read(tid, ret) < 0 ? fail_errno("asking how it is scheduled (sched_getattr)") : 0;
}

/* The kernel gives real-time threads all, unless they say otherwise (sched_util_clamp_min_rt_default); where it clamps
 * nothing both are 0. Before Linux 6.12 the time slice is 0, too. */
static void dump_attributes(const struct dump *d, struct thread *thread, const struct scheduling *its)
{
	ThreadCoreEntry *record = thread->core->thread_core;
	bool real_time = is_real_time((int)its->policy);

	if (its->util_max && (its->util_min != (real_time ? UTIL_MAX : 0) || its->util_max != UTIL_MAX)) {
		record->has_util_min = record->has_util_max = true;
		record->util_min = its->util_min;
		record->util_max = its->util_max;
	}
	record->has_slice_ns = !real_time && its->runtime && its->runtime != task_host_of_dump(d)->slice_ns;
	record->slice_ns = record->has_slice_ns ? its->runtime : 0;
}

static int settle_attributes(struct thread *thread)
{
	const ThreadCoreEntry *record = thread->core->thread_core;
	struct scheduling attributes = {
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

/* The attributes of a real-time thread do not tell it. */
static int read_nice(pid_t tid, const struct scheduling *its, int *ret)
{
	*ret = its->nice;
	if (!is_real_time((int)its->policy))
		return 0;
	errno = 0;
	*ret = getpriority(PRIO_PROCESS, (id_t)tid);
	return errno ? fail_errno("asking for its nice value (getpriority)") : 0;
}

static int dump_scheduling(const struct dump *d, struct thread *thread)
{
	ThreadCoreEntry *record = thread->core->thread_core;
	struct scheduling its;

	TRY(read_attributes(thread->tid, &its));
	if (its.policy == POLICY_DEADLINE)
		return refuse(
			EOPNOTSUPP,
			"is scheduled as SCHED_DEADLINE, for which the image format has no place; checkpoint it under "
			"another policy (chrt --other --pid 0 %d)",
			thread->tid);
	record->has_sched_policy = true;
	record->sched_policy = its.policy | (its.flags & FLAG_RESET_ON_FORK ? RESET_ON_FORK : 0);
	record->has_sched_prio = is_real_time((int)its.policy);
	record->sched_prio = record->has_sched_prio ? its.priority : 0;
	record->has_sched_nice = true;
	TRY(read_nice(thread->tid, &its, &record->sched_nice));
	dump_attributes(d, thread, &its);
	return 0;
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

/* It has what criu has, as it was born with it. */
static int nice_now(const struct restore *r, const struct thread *thread)
{
	const struct task_host *host = task_host_of_restore(r);

	return host->is_inherited ? host->nice : getpriority(PRIO_PROCESS, (id_t)thread->tid);
}

static int policy_now(const struct restore *r, const struct thread *thread)
{
	const struct task_host *host = task_host_of_restore(r);

	return host->is_inherited ? host->policy : sched_getscheduler(thread->tid);
}

/* At the very end: a real-time thread must not keep us from the rest. */
static int settle_scheduling(struct restore *r, struct thread *thread)
{
	const ThreadCoreEntry *record = thread->core->thread_core;
	struct sched_param param = { .sched_priority = (int)record->sched_prio };

	errno = 0;
	if (record->has_sched_nice && nice_now(r, thread) != record->sched_nice &&
	    setpriority(PRIO_PROCESS, (id_t)thread->tid, record->sched_nice) < 0)
		return fail_errno("setting nice to %d", record->sched_nice);
	if (record->has_sched_policy && policy_now(r, thread) != (int)record->sched_policy &&
	    sched_setscheduler(thread->tid, (int)record->sched_policy, &param) < 0)
		return fail_errno("setting the scheduling policy %u, priority %u (CAP_SYS_NICE?)", record->sched_policy,
				  record->sched_prio);
	return settle_attributes(thread);
}

const struct task_part scheduling_part = {
	.name = "scheduling",
	.aside = dump_scheduling,
	.check = check_scheduling,
	.settle = settle_scheduling,
};
