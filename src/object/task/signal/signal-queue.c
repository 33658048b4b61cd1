/* SPDX-License-Identifier: GPL-2.0-only */
/* Signals that wait to be delivered, with their siginfo and in their order: those of each thread and those of the
 * process. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>

#include "base/fail.h"
#include "base/pool.h"
#include "object/task/part.h"
#include "object/task/timers/timers.h"
#include "plan/plan.h"
#include "session/pids.h"

/* What PTRACE_PEEKSIGINFO gives for each. */
#define SIGINFO_SIZE 128
/* How many are read at a time: the kernel walks the queue from its head every time. */
#define BATCH 256

struct raw_siginfo {
	int32_t signo, error, code, pad;
	union {
		struct {
			int32_t timer, overrun;
			uint64_t value;
			int32_t private; /* the kernel's own mark: asm-generic/siginfo.h, _sys_private */
		};
		uint8_t bytes[SIGINFO_SIZE - 16];
	};
};

static void append_signals(struct pool *pool, SignalQueueEntry *queue, const struct raw_siginfo *info, size_t n)
{
	SiginfoEntry **signals = pool_array(pool, SiginfoEntry *, queue->n_signals + n);
	SiginfoEntry *entries = pool_array(pool, SiginfoEntry, n);

	if (queue->n_signals)
		memcpy(signals, queue->signals, queue->n_signals * sizeof(*signals));
	for (size_t i = 0; i < n; i++) {
		siginfo_entry__init(&entries[i]);
		entries[i].siginfo.len = SIGINFO_SIZE;
		entries[i].siginfo.data = pool_copy(pool, &info[i], SIGINFO_SIZE);
		signals[queue->n_signals + i] = &entries[i];
	}
	queue->signals = signals;
	queue->n_signals += n;
}

static SignalQueueEntry *make_queue(const struct dump *d)
{
	SignalQueueEntry *queue = pool_new(d->pool, SignalQueueEntry);

	signal_queue_entry__init(queue);
	return queue;
}

static int dump_queue(const struct dump *d, pid_t tid, uint32_t flags, SignalQueueEntry **ret)
{
	SignalQueueEntry *queue = make_queue(d);
	struct __ptrace_peeksiginfo_args args = { .flags = flags, .nr = BATCH };
	struct raw_siginfo info[BATCH];
	long n;

	do {
		n = ptrace(PTRACE_PEEKSIGINFO, tid, &args, info);
		if (n < 0)
			return fail_errno("reading the pending signals");
		append_signals(d->pool, queue, info, (size_t)n);
		args.off += (uint64_t)n;
	} while (n == BATCH);
	*ret = queue;
	return 0;
}

static bool is_of_timer(const struct raw_siginfo *info)
{
	return info->code == SI_TIMER ||
	       (info->code == SI_KERNEL &&
		(info->signo == SIGALRM || info->signo == SIGVTALRM || info->signo == SIGPROF));
}

static const struct raw_siginfo *info_of(const SignalQueueEntry *queue, size_t i)
{
	return (const struct raw_siginfo *)queue->signals[i]->siginfo.data;
}

/* The signal is one of those that were known, from *seen on. A stop signal and SIGCONT may have removed some. */
static bool was_known(const SignalQueueEntry *queue, const struct raw_siginfo *info, size_t *seen)
{
	for (size_t i = *seen; i < queue->n_signals; i++) {
		if (memcmp(info_of(queue, i), info, SIGINFO_SIZE) == 0) {
			*seen = i + 1;
			return true;
		}
	}
	return false;
}

/*
 * Once more, as signals may have come. Those of timers count only until the timers are read: a timer that goes off
 * later is saved as one that has some time left.
 */
static int read_again(const struct dump *d, struct thread *thread, uint32_t flags, bool timers_too,
		      SignalQueueEntry **place)
{
	const SignalQueueEntry *before = *place;
	size_t seen = 0, kept = 0;
	SignalQueueEntry *queue;

	TRY(dump_queue(d, thread->tid, flags, &queue));
	for (size_t i = 0; i < queue->n_signals; i++) {
		const struct raw_siginfo *info = info_of(queue, i);

		if (!was_known(before, info, &seen)) {
			if (is_of_timer(info) && !timers_too)
				continue;
			if (is_of_timer(info))
				timers_note_signal(thread->task->leader->core->tc->timers, info->signo, info->code,
						   info->timer);
		}
		queue->signals[kept++] = queue->signals[i];
	}
	queue->n_signals = kept;
	*place = queue;
	return 0;
}

static int read_queues_again(const struct dump *d, struct thread *thread, bool timers_too)
{
	TRY(read_again(d, thread, 0, timers_too, &thread->core->thread_core->signals_p));
	return thread != thread->task->leader
		       ? 0
		       : read_again(d, thread, PTRACE_PEEKSIGINFO_SHARED, timers_too, &thread->core->tc->signals_s);
}

/* Timers have been read by now: one that had gone off shortly before has left its signal; for a single thread only a
 * POSIX timer can. */
static int dump_signals_again(struct dump *d, struct thread *thread)
{
	const TaskTimersEntry *timers = thread->task->leader->core->tc->timers;

	if (thread != thread->task->leader && timers && !timers->n_posix)
		return 0;
	return read_queues_again(d, thread, true);
}

/* The last moment: others send signals as long as the process lives. */
static int dump_last_signals(struct dump *d)
{
	struct thread *thread;
	struct task *task;

	for_each_task(task, d->tree) {
		if (!task_is_live(task))
			continue;
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		for_each_thread(thread, task)
			TRY(read_queues_again(d, thread, false));
	}
	return 0;
}

/* What is in a queue is a bit of a set, too; these were read when all stood still. */
static int dump_signal_queue(const struct dump *d, struct thread *thread)
{
	const struct proc_status *status = &thread->dump->status;

	thread->core->thread_core->signals_p = make_queue(d);
	if (status->sig_pending)
		TRY(dump_queue(d, thread->tid, 0, &thread->core->thread_core->signals_p));
	if (thread != thread->task->leader)
		return 0;
	thread->core->tc->signals_s = make_queue(d);
	if (status->shared_pending)
		TRY(dump_queue(d, thread->tid, PTRACE_PEEKSIGINFO_SHARED, &thread->core->tc->signals_s));
	return 0;
}

/* A stop signal that came during the dump stops the restored task. It cannot be queued: it would stop the task in the
 * middle of its restore. */
static int check_queue(struct task *task, const SignalQueueEntry *queue)
{
	for (size_t i = 0; queue && i < queue->n_signals; i++) {
		const ProtobufCBinaryData *data = &queue->signals[i]->siginfo;
		int32_t signo = 0;

		if (data->len == SIGINFO_SIZE)
			memcpy(&signo, data->data, sizeof(signo));
		if (signo == SIGSTOP && task->state == TASK_ALIVE)
			task->state = TASK_STOPPED;
		if (signo < 1 || signo > 64 || signo == SIGKILL)
			return refuse(EINVAL,
				      "pending signal %zu has %zu bytes and the number %d: the image is damaged", i,
				      data->len, signo);
	}
	return 0;
}

static int check_signal_queue(const struct restore *r, struct thread *thread)
{
	TRY(check_queue(thread->task, thread->core->thread_core->signals_p));
	return thread == thread->task->leader ? check_queue(thread->task, thread->core->tc->signals_s) : 0;
}

/* What the restore itself causes: children that were made only for it die, sessions lose their terminal, owners of
 * files are set. */
static void plan_drain(struct plan *plan)
{
	uint64_t mask = 1ull << (SIGCHLD - 1) | 1ull << (SIGHUP - 1) | 1ull << (SIGCONT - 1) | 1ull << (SIGIO - 1);
	int64_t timeout[2] = { 0, 0 };
	size_t at_mask = plan_data(plan, &mask, sizeof(mask)), at_timeout = plan_data(plan, timeout, sizeof(timeout));

	/* One of each can wait at most. */
	for (int i = 0; i < __builtin_popcountll(mask); i++)
		plan_syscall(plan, "take signals of the restore itself", __NR_rt_sigtimedwait, D(at_mask), V(0),
			     D(at_timeout), V(sizeof(mask)))
			->flags |= STEP_MAY_FAIL;
}

/* Only a thread itself may send codes of the kernel. A pending timer signal comes back as a plain signal: the timer is
 * a new one. */
static void plan_queue(struct plan *plan, const SignalQueueEntry *queue, pid_t pid, pid_t tid)
{
	for (size_t i = 0; queue && i < queue->n_signals; i++) {
		struct raw_siginfo info;
		size_t offset;

		memcpy(&info, queue->signals[i]->siginfo.data, SIGINFO_SIZE);
		if (info.signo == SIGSTOP)
			continue;
		if (info.code == SI_TIMER)
			info.private = 0;
		offset = plan_data(plan, &info, sizeof(info));
		if (tid)
			plan_syscall(plan, "queue a pending signal of the thread", __NR_rt_tgsigqueueinfo, V(pid),
				     V(tid), V(info.signo), D(offset));
		else
			plan_syscall(plan, "queue a pending signal of the process", __NR_rt_sigqueueinfo, V(pid),
				     V(info.signo), D(offset));
	}
}

static int last_signal_queue(struct restore *r, struct thread *thread, struct plan *plan)
{
	pid_t pid = task_own_pid(thread->task);

	if (thread == thread->task->leader) {
		plan_drain(plan);
		plan_queue(plan, thread->core->tc->signals_s, pid, 0);
	}
	plan_queue(plan, thread->core->thread_core->signals_p, pid, thread_own_tid(thread));
	return 0;
}

const struct task_part signal_queue_part = {
	.name = "signal-queue",
	.outside = dump_signal_queue,
	.again = dump_signals_again,
	.write = dump_last_signals,
	.check = check_signal_queue,
	.last = last_signal_queue,
};
