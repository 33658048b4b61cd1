/* SPDX-License-Identifier: GPL-2.0-only */
/* Stopping the threads of one task. */
#include "flow/freeze/freeze-threads.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch_regs.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/grace.h"
#include "flow/dump/state.h"
#include "flow/freeze/reaper.h"
#include "kern/capability.h"
#include "kern/proc/children.h"
#include "kern/proc/proc.h"
#include "kern/proc/sleep.h"
#include "kern/task-iter.h"
#include "lib/compel/tracee.h"

static void read_comm(pid_t pid, char *comm, size_t capacity)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	if (file_read_text(AT_FDCWD, path, comm, capacity) > 0)
		comm[strcspn(comm, "\n")] = '\0';
	else
		snprintf(comm, capacity, "?");
}

/* One that was killed holds the thread until it is dead, and then its guard until the thread is home. */
static bool is_traced_by_criu(const struct proc_status *status)
{
	char comm[64];

	read_comm(status->tracer_pid, comm, sizeof(comm));
	return strncmp(comm, "criu", 4) == 0;
}

static int refuse_traced(const struct proc_status *status, pid_t tid)
{
	char comm[64];

	read_comm(status->tracer_pid, comm, sizeof(comm));
	if (status->tracer_pid)
		return refuse(EBUSY, "thread %d is traced by process %d (%s): detach that debugger first", tid,
			      status->tracer_pid, comm);
	return refuse(EPERM, "thread %d may not be traced: run criu as root, or in the user namespace of the task",
		      tid);
}

static int read_thread_status(const struct task *task, pid_t tid, struct proc_status *status)
{
	return proc_status_read_thread(task->dump->proc, tid, status);
}

#define SEIZE_TRIES 20

/*
 * Attaches to one thread; -ESRCH if it is gone or dead. While execve(2) puts another thread in its place it cannot be
 * attached to, as a dead one: that passes.
 */
static int seize_thread(const struct task *task, pid_t tid)
{
	const struct deadline grace = deadline_in_seconds(GRACE_TRACER_S);
	AUTO(proc_status_done) struct proc_status status = { 0 };
	int error;

	for (unsigned tries = 0; tries < SEIZE_TRIES; tries++) {
		error = tracee_seize(tid, false);
		if (error != -EPERM)
			return error;
		proc_status_done(&status);
		error = read_thread_status(task, tid, &status);
		if (error == -ENOENT || error == -ESRCH || (error == 0 && (status.state == 'Z' || status.state == 'X')))
			return -ESRCH;
		TRY(error);
		/* It was another thread of the process when we attached to it, and has got this number by execve(2). */
		if (status.tracer_pid == getpid())
			return tracee_interrupt(tid);
		if (status.tracer_pid) {
			if (!is_traced_by_criu(&status) || deadline_passed(&grace))
				break;
			tries = 0;
		}
		usleep(1000);
	}
	return refuse_traced(&status, tid);
}

static struct thread *find_thread(const struct task *task, pid_t tid)
{
	struct thread *thread;

	for_each_thread(thread, task)
		if (thread->tid == tid)
			return thread;
	return NULL;
}

static struct thread *add_thread(struct dump *d, struct task *task, pid_t tid)
{
	struct thread *thread = task->leader;

	if (tid != task->pid)
		thread = task_add_thread(d->tree, task, tid);
	thread->tid = tid;
	thread->dump = pool_new(d->pool, struct thread_dump);
	return thread;
}

bool freeze_no_signals(const struct proc_status *status, uint64_t sigmask)
{
	return ((status->sig_pending | status->shared_pending) & ~sigmask) == 0;
}

int freeze_repair_call(struct dump *d, const struct thread *thread)
{
	AUTO(proc_status_done) struct proc_status status = { 0 };
	struct thread_dump *dump = thread->dump;
	uint64_t sigmask;

	dump->state = arch_state_get_general(thread->tid, d->pool);
	if (!dump->state || !arch_call_broke_off(dump->state) ||
	    read_thread_status(thread->task, thread->tid, &status) < 0)
		return 0;
	TRY(tracee_get_sigmask(thread->tid, &sigmask));
	return freeze_no_signals(&status, sigmask) ? arch_make_call_again(thread->tid, dump->state) : 0;
}

static int wait_thread(struct dump *d, struct thread *thread)
{
	int signal;

	TRY(tracee_wait_stop(thread->tid, &d->progress->deadline, &signal));
	reaper_note_progress(flow_dump_of(d)->reaper);
	thread->dump->held = true;
	if (signal) {
		thread->task->dump->was_stopped = true;
		thread->task->dump->stop_signal = signal;
	}
	return freeze_repair_call(d, thread);
}

static bool is_known_thread(const struct task *task, pid_t tid)
{
	return tid == task->pid ? task->leader->dump != NULL : find_thread(task, tid) != NULL;
}

/* known: as of a moment ago, may be NULL. */
static int seize_thread_of(struct dump *d, struct task *task, pid_t tid, const struct task_facts *known)
{
	struct proc_sleep sleep = { .nr = -1 };
	struct thread *thread;
	int error;

	/* As long as it sleeps: our stop wakes it. */
	if (!d->progress->only_look && (!known || known->may_wait_limited))
		proc_sleep_read(task->dump->proc, tid, &sleep);
	error = seize_thread(task, tid);
	if (error == -ESRCH)
		return 0;
	TRY(error);
	reaper_note_progress(flow_dump_of(d)->reaper);
	thread = add_thread(d, task, tid);
	if (sleep.nr >= 0)
		thread->dump->sleep = pool_copy(d->pool, &sleep, sizeof(sleep));
	if (tid != task->pid)
		reaper_watch(flow_dump_of(d)->reaper, tid);
	return 1;
}

int seize_new_thread(struct dump *d, struct task *task, pid_t tid)
{
	return seize_thread_of(d, task, tid, NULL);
}

#define IO_WORKER   0x00000010 /* PF_IO_WORKER in linux/sched.h of the kernel's source: of an io_uring */
#define USER_WORKER 0x00004010 /* PF_USER_WORKER, and the one above: of whatever */

/* A thread of the task that never runs the task's code: the kernel does its own work there. */
static bool is_worker(const struct task *task, pid_t tid, unsigned flags)
{
	AUTO_CLOSE int proc = proc_open_thread(task->dump->proc, tid);
	struct proc_stat stat;

	return proc >= 0 && proc_stat_read(proc, &stat) == 0 && stat.flags & flags;
}

/*
 * One that takes requests of an io_uring (iou-sqp-PID), or does those which would have to wait (iou-wrk-PID). It comes
 * and goes as the kernel likes, and must run on for these requests to come to an end: what is under way is the
 * io_uring's matter. A new one has the name of its maker until it runs first, so the name tells nothing.
 */
static bool is_left_alone(const struct task *task, pid_t tid, const struct task_facts *known)
{
	if (known && !(known->flags & IO_WORKER))
		return false;
	return tid != task->pid && is_worker(task, tid, IO_WORKER);
}

static int refuse_worker(const struct task *task, const struct thread *thread)
{
	const char *name = thread->dump->status.name;

	if (strncmp(name, "vhost-", 6) != 0 || !is_worker(task, thread->tid, USER_WORKER))
		return 0;
	return refuse(EOPNOTSUPP,
		      "thread %d (%s) is a worker of the kernel for vhost, which cannot be saved: run the program "
		      "with vhost switched off",
		      thread->tid, name);
}

int seize_new_threads(struct dump *d, struct task *task)
{
	AUTO(proc_pids_done) struct proc_pids tids = { 0 };
	AUTO(task_facts_done) struct task_facts_list list = { 0 };
	int error = proc_threads_read(task->dump->proc, &tids), new = 0;

	if (error < 0)
		return error == -ENOENT ? -ESRCH : error;
	if (tids.n >= task->n_threads + TASK_ITER_WORTH)
		(void)task_iter_read(d->task_iter, task->pid, &list);
	for (size_t i = 0; i < tids.n; i++) {
		const struct task_facts *known = task_facts_find(&list, tids.items[i]);

		if (is_known_thread(task, tids.items[i]) || is_left_alone(task, tids.items[i], known))
			continue;
		error = seize_thread_of(d, task, tids.items[i], known);
		TRY(error);
		new += error;
	}
	return new;
}

#define EXITING 0x00000004 /* PF_EXITING in linux/sched.h of the kernel's source */

bool freeze_is_ending(const struct task *task)
{
	struct proc_stat stat;

	return proc_stat_read(task->dump->proc, &stat) < 0 || stat.flags & EXITING;
}

/* Something can be waited for: a stop, or an end. */
static bool has_news(pid_t tid)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_PID, (id_t)tid, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) < 0 || info.si_pid;
}

static void watch_all(struct dump *d)
{
	struct task *task;

	for_each_task(task, d->tree)
		if (task->leader->dump) /* other threads are watched already */
			reaper_watch(flow_dump_of(d)->reaper, task->leader->tid);
}

/*
 * It will not stop any more. The first process of a pid namespace ends when all of that have, and that may be long: if
 * we hold some of them, they are dead for their parents only when we have noticed.
 */
static int pass_ending(struct dump *d, const struct task *task, bool *watched)
{
	if (!task->parent)
		return refuse(EINVAL, "it is ending: there is nothing to save");
	if (!*watched)
		watch_all(d);
	*watched = true;
	if (!deadline_passed(&d->progress->deadline))
		return 0;
	return refuse(EAGAIN, "it is ending, but waits for another process of its pid namespace that does not end "
			      "(traced, or in uninterruptible sleep?): try again when it has ended");
}

#define YIELDS	    50	/* then it is not worth the CPU */
#define SHORT_TRIES 500 /* of 50 us */
#define SUSPICIOUS  100 /* tries of 1 ms after which one that runs would have stopped */

static int await_leader(struct dump *d, const struct thread *thread)
{
	bool watched = false;

	for (unsigned tries = 0; !has_news(thread->tid); tries++) {
		if (tries < YIELDS)
			sched_yield();
		else
			usleep(tries < SHORT_TRIES ? 50 : 1000);
		if (tries < SHORT_TRIES || (tries - SHORT_TRIES) % SUSPICIOUS)
			continue;
		if (freeze_is_ending(thread->task))
			TRY(pass_ending(d, thread->task, &watched));
		else if (deadline_passed(&d->progress->deadline))
			return 0; /* tracee_wait_stop() says what is the matter */
	}
	return 0;
}

/* A thread that ended instead is forgotten; -ESRCH if it is the leader: the task is a zombie. */
static int wait_or_forget(struct dump *d, struct thread *thread)
{
	int error;

	if (!thread->dump || thread->dump->held)
		return 0;
	if (thread == thread->task->leader)
		TRY(await_leader(d, thread));
	error = wait_thread(d, thread);
	if (error == -ESRCH && thread != thread->task->leader) {
		/* It may have executed a program, and be the leader with other registers now. */
		if (thread->task->leader->dump)
			thread->task->leader->dump->state = NULL;
		task_remove_thread(d->tree, thread);
		return 0;
	}
	return error;
}

/* Waits for all that were asked. The leader comes last: the kernel tells of its end only when all others have been
 * reaped. */
int wait_threads(struct dump *d, struct task *task)
{
	struct thread *thread, *next;

	list_for_each_safe(thread, next, &task->threads, sibling)
		if (thread != task->leader)
			TRY(wait_or_forget(d, thread));
	return wait_or_forget(d, task->leader);
}

/* Most threads differ from their leader in nothing but the number and the signals that wait. */
static bool guess_status(struct dump *d, const struct task_facts_list *list, const struct thread *thread,
			 struct proc_status *ret)
{
	const struct thread *leader = thread->task->leader;
	const struct proc_status *status = &leader->dump->status;
	const struct task_facts *its = task_facts_find(list, thread->tid),
				*of_leader = task_facts_find(list, leader->tid);

	if (!its || !of_leader || its->credentials != of_leader->credentials ||
	    its->atomic_flags != of_leader->atomic_flags || its->flags & USER_WORKER || its->seccomp ||
	    status->seccomp || status->n_levels != 1)
		return false;
	*ret = *status;
	ret->pid = ret->ns_pid[0] = thread->tid;
	ret->sig_pending = its->pending;
	ret->shared_pending = its->shared_pending;
	if (status->n_groups)
		ret->groups = pool_copy(d->pool, status->groups, status->n_groups * sizeof(*ret->groups));
	return true;
}

int read_statuses(struct dump *d, struct task *task)
{
	AUTO(task_facts_done) struct task_facts_list list = { 0 };
	const bool may_read = geteuid() == 0 || capability_effective(CAP_SYS_PTRACE);
	struct thread *thread;
	int error;

	if (task->n_threads >= TASK_ITER_WORTH)
		(void)task_iter_read(d->task_iter, task->pid, &list);
	for_each_thread(thread, task) {
		struct proc_status *status = &thread->dump->status;

		reaper_note_progress(flow_dump_of(d)->reaper);
		/* That of the leader is known: all_stand_still(). */
		if (thread != task->leader && !guess_status(d, &list, thread, status))
			TRY(read_thread_status(task, thread->tid, status));
		TRY(refuse_worker(task, thread));
		/* The kernel lets us hold whoever has no more than we; that is not to say that our user may have its
		 * memory. */
		if (status->cap_permitted && !may_read)
			return refuse(EPERM, "thread %d has capabilities: only root can dump it", thread->tid);
		if (!status->seccomp)
			continue;
		error = tracee_suspend_seccomp(thread->tid);
		if (error < 0)
			return fail(-error, "suspending the seccomp filters of thread %d (CAP_SYS_ADMIN?)",
				    thread->tid);
	}
	return 0;
}

/* A thread that we did not know yet may have taken the place of the main thread, which stood still. */
bool leader_stands_still(const struct task *task)
{
	const struct proc_status *status = &task->leader->dump->status;

	return status->state == 't' && status->tracer_pid == getpid();
}

int all_stand_still(const struct task *task)
{
	struct proc_status *status = &task->leader->dump->status;
	int error;

	proc_status_done(status);
	error = proc_status_read(task->dump->proc, status);

	if (error == -ENOENT || error == -ESRCH)
		return 0;
	TRY(error);
	return leader_stands_still(task) && status->threads == task->n_threads;
}
