/* SPDX-License-Identifier: GPL-2.0-only */
/* How POSIX timers come back: with their ids, clocks, targets, time left and overruns. */
#include "object/task/timers/plan.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/fail.h"
#include "object/namespace/namespace.h"
#include "object/task/self.h"
#include "plan/plan.h"
#include "session/pids.h"

/* linux/prctl.h, Linux 6.15: timer_create(2) takes the id that it is to give. */
#define PR_TIMER_CREATE_RESTORE_IDS_ 77

/* How the kernel shows CLOCK_THREAD_CPUTIME_ID of the creator; linux/posix-timers_types.h. */
#define OWN_THREAD_CLOCK  (-2)
#define thread_clock(tid) ((int)(~(unsigned)(tid) << 3) | 6)

#define NS_PER_S 1000000000ll

/* NULL: there is none, or it has ended. */
static const struct thread *target_of(const struct task *task, const PosixTimerEntry *entry)
{
	struct thread *thread;

	for_each_thread(thread, task)
		if (entry->has_notify_thread_id && thread->vtid == entry->notify_thread_id)
			return thread;
	return NULL;
}

/* A thread that times itself has itself as target. We make the timer in the leader, so the clock must be named. */
static int clock_of(const struct task *task, const PosixTimerEntry *entry)
{
	const struct thread *target = target_of(task, entry);
	int clock = (int)entry->clock_id;

	if (clock == CLOCK_THREAD_CPUTIME_ID || clock == OWN_THREAD_CLOCK)
		if (target && target != task->leader)
			return thread_clock(thread_own_tid(target));
	return clock;
}

static struct sigevent event_of(const struct task *task, const PosixTimerEntry *entry)
{
	const struct thread *target = target_of(task, entry);
	struct sigevent event;

	memset(&event, 0, sizeof(event));
	event.sigev_value.sival_ptr = (void *)(uintptr_t)entry->sival_ptr;
	event.sigev_signo = (int)entry->si_signo;
	event.sigev_notify = (int)(entry->it_sigev_notify & ~(uint32_t)SIGEV_THREAD_ID);
	if (target) {
		event.sigev_notify |= SIGEV_THREAD_ID;
		event._sigev_un._tid = thread_own_tid(target);
	} else if (entry->has_notify_thread_id || entry->it_sigev_notify & SIGEV_THREAD_ID) {
		event.sigev_notify = SIGEV_NONE; /* the target has ended: nobody hears of the timer */
	}
	return event;
}

static void create_exact(const struct task *task, const PosixTimerEntry *entry, struct plan *plan)
{
	struct sigevent event = event_of(task, entry);
	uint32_t id = entry->it_id;
	size_t at_event = plan_data(plan, &event, sizeof(event)), at_id = plan_data(plan, &id, sizeof(id));

	plan_syscall(plan, "create a POSIX timer", __NR_timer_create, V(clock_of(task, entry)), D(at_event), D(at_id));
}

static void create_by_counting(const struct task *task, const PosixTimerEntry *entry, struct plan *plan)
{
	struct sigevent event = event_of(task, entry);
	struct plan_arg args[] = { V(clock_of(task, entry)), D(plan_data(plan, &event, sizeof(event))),
				   V(entry->it_id) };

	plan_step(plan, "create a POSIX timer", STEP_TIMER, args, 3);
}

static int by_id(const void *a, const void *b)
{
	const PosixTimerEntry *x = *(PosixTimerEntry *const *)a, *y = *(PosixTimerEntry *const *)b;

	return (x->it_id > y->it_id) - (x->it_id < y->it_id);
}

int timers_sort(TaskTimersEntry *record)
{
	if (record->n_posix)
		qsort(record->posix, record->n_posix, sizeof(*record->posix), by_id);
	for (size_t i = 1; i < record->n_posix; i++)
		if (record->posix[i]->it_id == record->posix[i - 1]->it_id)
			return refuse(EINVAL, "POSIX timer %u is there twice: the image is damaged",
				      record->posix[i]->it_id);
	return 0;
}

void timers_plan_create(struct restore *r, const struct task *task, const TaskTimersEntry *record, struct plan *plan)
{
	bool exact = restore_self_of(r)->exact_timer_ids;

	if (exact)
		plan_syscall(plan, "begin to choose timer ids", __NR_prctl, V(PR_TIMER_CREATE_RESTORE_IDS_), V(1), V(0),
			     V(0), V(0));
	for (size_t i = 0; i < record->n_posix; i++) {
		if (exact)
			create_exact(task, record->posix[i], plan);
		else
			create_by_counting(task, record->posix[i], plan);
	}
	if (exact)
		plan_syscall(plan, "end to choose timer ids", __NR_prctl, V(PR_TIMER_CREATE_RESTORE_IDS_), V(0), V(0),
			     V(0), V(0));
}

/*
 * Only a timer that overran has overruns. So it is started in the past, that many intervals before its next expiry: it
 * fires at once, and when the leader takes the signal, the kernel counts. Any other clock than these is not worth it.
 */
static bool must_overrun(const struct task *task, const PosixTimerEntry *entry)
{
	int clock = (int)entry->clock_id;

	return entry->overrun && entry->overrun <= INT32_MAX && (entry->isec || entry->insec) &&
	       (entry->vsec || entry->vnsec) && entry->isec < 1000000 && entry->vsec < 1000000 &&
	       (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME || clock == CLOCK_TAI) &&
	       (entry->it_sigev_notify & ~(uint32_t)SIGEV_THREAD_ID) != SIGEV_NONE && entry->si_signo &&
	       (!entry->has_notify_thread_id || entry->notify_thread_id == task->vpid);
}

static void arm_in_the_past(struct restore *r, const struct task *task, const PosixTimerEntry *entry, struct plan *plan)
{
	uint64_t mask = 1ull << (entry->si_signo - 1);
	int64_t interval = (int64_t)entry->isec * NS_PER_S + (int64_t)entry->insec, steps = entry->overrun + 1ll, start;
	int64_t grace[2] = { 60, 0 };
	struct itimerspec value = { .it_interval = { (time_t)entry->isec, (long)entry->insec } };
	struct timespec now;

	clock_gettime((clockid_t)entry->clock_id, &now);
	start = (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec + time_shift(r, task, (clockid_t)entry->clock_id) +
		(int64_t)entry->vsec * NS_PER_S + (int64_t)entry->vnsec;
	if (steps > (start - 1) / interval)
		steps = (start - 1) / interval; /* not before the clock began */
	start -= steps * interval;
	value.it_value.tv_sec = start / NS_PER_S;
	value.it_value.tv_nsec = start % NS_PER_S;
	plan_syscall(plan, "start a POSIX timer in the past", __NR_timer_settime, V(entry->it_id), V(TIMER_ABSTIME),
		     D(plan_data(plan, &value, sizeof(value))), V(0));
	plan_syscall(plan, "take the signal of a POSIX timer", __NR_rt_sigtimedwait,
		     D(plan_data(plan, &mask, sizeof(mask))), V(0), D(plan_data(plan, grace, sizeof(grace))),
		     V(sizeof(mask)));
}

void timer_plan_arm(struct restore *r, const struct task *task, const PosixTimerEntry *entry, struct plan *plan)
{
	struct itimerspec value = { { (time_t)entry->isec, (long)entry->insec },
				    { (time_t)entry->vsec, (long)entry->vnsec } };

	if (must_overrun(task, entry))
		arm_in_the_past(r, task, entry, plan);
	else if (entry->vsec || entry->vnsec)
		plan_syscall(plan, "start a POSIX timer", __NR_timer_settime, V(entry->it_id), V(0),
			     D(plan_data(plan, &value, sizeof(value))), V(0));
}
