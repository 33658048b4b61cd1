/* SPDX-License-Identifier: GPL-2.0-only */
/* Interval timers, see setitimer(2), and POSIX timers, see timer_create(2), of a process. */
#include "base/auto.h"
#include "kern/proc/timers.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/fail.h"
#include "base/log.h"
#include "object/task/part.h"
#include "object/task/timers/plan.h"
#include "plan/plan.h"
#include "object/task/timers/timers.h"
#include "session/needs.h"

#define N_ITIMERS 3 /* ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF */

extern const struct task_part timers_part;

/* --- dump --- */

static int by_id(const void *a, const void *b)
{
	const struct proc_timer *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* The number by which the task itself knows a thread of its own; 0 if it is gone. */
static pid_t own_tid(const struct task *task, pid_t tid)
{
	struct thread *thread;

	for_each_thread(thread, task)
		if (thread->tid == tid)
			return thread->vtid;
	return 0;
}

static void begin_entry(const struct task *task, const struct proc_timer *timer, PosixTimerEntry *entry)
{
	posix_timer_entry__init(entry);
	entry->it_id = (uint32_t)timer->id;
	entry->clock_id = (uint32_t)timer->clock;
	entry->si_signo = (uint32_t)timer->signal;
	entry->it_sigev_notify = (uint32_t)timer->notify;
	entry->sival_ptr = timer->sival_ptr;
	if (timer->notify & SIGEV_THREAD_ID) {
		entry->has_notify_thread_id = true;
		entry->notify_thread_id = own_tid(task, timer->target);
	}
}

static int dump_timers(const struct dump *d, struct thread *thread)
{
	AUTO(proc_timers_done) struct proc_timers timers = { 0 };
	TaskTimersEntry *record;
	PosixTimerEntry *entries;
	ItimerEntry *itimers;
	int error;

	if (thread != thread->task->leader)
		return 0;
	error = proc_timers_read(thread->task->dump->proc, &timers);
	if (error < 0)
		return fail(-error, "reading the list of POSIX timers");
	if (timers.n)
		qsort(timers.items, timers.n, sizeof(*timers.items), by_id);
	record = pool_new(d->pool, TaskTimersEntry);
	task_timers_entry__init(record);
	itimers = pool_array(d->pool, ItimerEntry, N_ITIMERS);
	for (int i = 0; i < N_ITIMERS; i++)
		itimer_entry__init(&itimers[i]);
	record->real = &itimers[ITIMER_REAL];
	record->virt = &itimers[ITIMER_VIRTUAL];
	record->prof = &itimers[ITIMER_PROF];
	record->n_posix = timers.n;
	record->posix = pool_array(d->pool, PosixTimerEntry *, timers.n);
	entries = pool_array(d->pool, PosixTimerEntry, timers.n);
	for (size_t i = 0; i < timers.n; i++) {
		record->posix[i] = &entries[i];
		begin_entry(thread->task, &timers.items[i], &entries[i]);
	}
	thread->core->tc->timers = record;
	return 0;
}

/* Offsets: the three interval timers, then value and overrun of each POSIX timer. */
static size_t *offsets_of(struct dump *d, struct thread *thread)
{
	return part_offsets(d, thread, &timers_part, N_ITIMERS + 2 * (unsigned)thread->core->tc->timers->n_posix);
}

static int ask_timers(struct dump *d, struct thread *thread, struct plan *plan)
{
	const TaskTimersEntry *record;
	size_t *offset;

	if (thread != thread->task->leader)
		return 0;
	record = thread->core->tc->timers;
	offset = offsets_of(d, thread);
	for (int i = 0; i < N_ITIMERS; i++, offset++) {
		*offset = plan_space(plan, sizeof(struct itimerval));
		plan_syscall(plan, "read an interval timer", __NR_getitimer, V(i), D(*offset));
	}
	for (size_t i = 0; i < record->n_posix; i++, offset += 2) {
		uint32_t id = record->posix[i]->it_id;

		offset[0] = plan_space(plan, sizeof(struct itimerspec));
		plan_syscall(plan, "read a POSIX timer", __NR_timer_gettime, V(id), D(offset[0]));
		offset[1] = plan_keep_result(plan, plan_syscall(plan, "read the overruns of a POSIX timer",
								__NR_timer_getoverrun, V(id)));
	}
	return 0;
}

static int answer_timers(struct dump *d, struct thread *thread)
{
	const size_t *offset;
	TaskTimersEntry *record;

	if (thread != thread->task->leader)
		return 0;
	record = thread->core->tc->timers;
	offset = offsets_of(d, thread);
	for (int i = 0; i < N_ITIMERS; i++) {
		ItimerEntry *entry = i == ITIMER_REAL	   ? record->real
				     : i == ITIMER_VIRTUAL ? record->virt
							   : record->prof;
		const struct itimerval *value = remote_result(thread->remote, *offset++);

		entry->isec = (uint64_t)value->it_interval.tv_sec;
		entry->iusec = (uint64_t)value->it_interval.tv_usec;
		entry->vsec = (uint64_t)value->it_value.tv_sec;
		entry->vusec = (uint64_t)value->it_value.tv_usec;
	}
	for (size_t i = 0; i < record->n_posix; i++, offset += 2) {
		PosixTimerEntry *entry = record->posix[i];
		const struct itimerspec *value = remote_result(thread->remote, offset[0]);

		entry->isec = (uint64_t)value->it_interval.tv_sec;
		entry->insec = (uint64_t)value->it_interval.tv_nsec;
		entry->vsec = (uint64_t)value->it_value.tv_sec;
		entry->vnsec = (uint64_t)value->it_value.tv_nsec;
		entry->overrun = (uint32_t)remote_value(thread->remote, offset[1]);
	}
	return 0;
}

static void stop_itimer(ItimerEntry *entry)
{
	entry->vsec = entry->vusec = 0;
}

/* Those that are periodic go on by themselves, but the real one stands still until its signal is taken. */
void timers_note_signal(TaskTimersEntry *record, int signal, int code, int timer)
{
	if (code != SI_TIMER && signal == SIGALRM)
		stop_itimer(record->real);
	else if (code != SI_TIMER && signal == SIGVTALRM && !record->virt->isec && !record->virt->iusec)
		stop_itimer(record->virt);
	else if (code != SI_TIMER && signal == SIGPROF && !record->prof->isec && !record->prof->iusec)
		stop_itimer(record->prof);
	for (size_t i = 0; code == SI_TIMER && i < record->n_posix; i++) {
		PosixTimerEntry *entry = record->posix[i];

		if ((int)entry->it_id == timer && !entry->isec && !entry->insec)
			entry->vsec = entry->vnsec = 0;
	}
}

/* --- restore --- */

static int check_itimer(const char *name, const ItimerEntry *entry)
{
	if (!entry || entry->iusec >= 1000000 || entry->vusec >= 1000000 || entry->isec > INT64_MAX ||
	    entry->vsec > INT64_MAX)
		return refuse(EINVAL, "the %s interval timer has an impossible time: the image is damaged", name);
	return 0;
}

/* Those who use up ids until the wanted one comes need them in rising order. */
static int check_timers(const struct restore *r, struct thread *thread)
{
	TaskTimersEntry *record = thread == thread->task->leader ? thread->core->tc->timers : NULL;

	if (!record)
		return 0;
	TRY(check_itimer("real", record->real));
	TRY(check_itimer("virtual", record->virt));
	TRY(check_itimer("profiling", record->prof));
	for (size_t i = 0; i < record->n_posix; i++) {
		const PosixTimerEntry *entry = record->posix[i];

		if (entry->it_id > INT32_MAX || entry->si_signo > 64 || entry->it_sigev_notify > 7 ||
		    entry->insec >= 1000000000 || entry->vnsec >= 1000000000 || entry->isec > INT64_MAX ||
		    entry->vsec > INT64_MAX)
			return refuse(EINVAL, "POSIX timer %u has impossible values: the image is damaged",
				      entry->it_id);
		if (entry->clock_id == CLOCK_REALTIME_ALARM || entry->clock_id == CLOCK_BOOTTIME_ALARM)
			TRY(need_kernel(r, FEATURE_ID_alarm_timers));
	}
	return timers_sort(record);
}

/* Made while all threads are there: they may be the targets. */
static int plan_timers(struct restore *r, struct thread *thread, struct plan *plan)
{
	const TaskTimersEntry *record = thread == thread->task->leader ? thread->core->tc->timers : NULL;

	if (record && record->n_posix)
		timers_plan_create(r, thread->task, record, plan);
	return 0;
}

static void arm_itimer(struct plan *plan, int which, const ItimerEntry *entry)
{
	struct itimerval value = { { (time_t)entry->isec, (suseconds_t)entry->iusec },
				   { (time_t)entry->vsec, (suseconds_t)entry->vusec } };

	/*
	 * The real one stands still from its signal until the program takes it; then the kernel lets it go on. That is
	 * how a periodic timer comes to have no time left: its signal is among those that wait, and the new timer goes
	 * on by itself.
	 */
	if (which == ITIMER_REAL && !entry->vsec && !entry->vusec)
		value.it_value = value.it_interval;
	if (entry->isec || entry->iusec || entry->vsec || entry->vusec)
		plan_syscall(plan, "set an interval timer", __NR_setitimer, V(which),
			     D(plan_data(plan, &value, sizeof(value))), V(0));
}

static int last_timers(struct restore *r, struct thread *thread, struct plan *plan)
{
	const TaskTimersEntry *record = thread == thread->task->leader ? thread->core->tc->timers : NULL;

	if (!record)
		return 0;
	arm_itimer(plan, ITIMER_REAL, record->real);
	arm_itimer(plan, ITIMER_VIRTUAL, record->virt);
	arm_itimer(plan, ITIMER_PROF, record->prof);
	for (size_t i = 0; i < record->n_posix; i++)
		timer_plan_arm(r, thread->task, record->posix[i], plan);
	return 0;
}

const struct task_part timers_part = {
	.name = "timers",
	.outside = dump_timers,
	.ask = ask_timers,
	.answer = answer_timers,
	.check = check_timers,
	.plan = plan_timers,
	.last = last_timers,
};
