/* SPDX-License-Identifier: GPL-2.0-only */
/* Stopping a tree: parents before children, until no new thread or child turns up. */
#include "flow/freeze.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/text.h"
#include "kern/pidfd.h"
#include "kern/proc/children.h"
#include "kern/proc/proc.h"
#include "lib/compel/tracee.h"

#define KERNEL_THREAD 0x00200000 /* PF_KTHREAD in linux/sched.h of the kernel's source */

static int refuse_traced(const struct proc_status *status, pid_t tid)
{
	char comm[64] = "?", path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", status->tracer_pid);
	if (file_read_text(AT_FDCWD, path, comm, sizeof(comm)) > 0)
		comm[strcspn(comm, "\n")] = '\0';
	if (status->tracer_pid)
		return refuse(EBUSY, "thread %d is traced by process %d (%s): detach that debugger first", tid,
			      status->tracer_pid, comm);
	return refuse(EPERM, "thread %d may not be traced: run criu as root, or in the user namespace of the task", tid);
}

static int read_thread_status(const struct task *task, pid_t tid, struct proc_status *status)
{
	AUTO_CLOSE int thread = proc_open_thread(task->dump->proc, tid);

	return thread < 0 ? thread : proc_status_read(thread, status);
}

/* Attaches to one thread; -ESRCH if it is gone or dead. */
static int seize_thread(const struct task *task, pid_t tid)
{
	struct proc_status status;
	int error = tracee_seize(tid, false);

	if (error != -EPERM)
		return error;
	error = read_thread_status(task, tid, &status);
	if (error == -ENOENT || error == -ESRCH || (error == 0 && (status.state == 'Z' || status.state == 'X')))
		return -ESRCH;
	TRY(error);
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

static int wait_thread(struct dump *d, struct thread *thread)
{
	int signal;

	TRY(tracee_wait_stop(thread->tid, &d->deadline, &signal));
	thread->dump->held = true;
	if (signal) {
		thread->task->dump->was_stopped = true;
		thread->task->dump->stop_signal = signal;
	}
	return 0;
}

/* Stops the threads that are not stopped yet. Returns how many there were. */
static int stop_new_threads(struct dump *d, struct task *task)
{
	AUTO(proc_pids_done) struct proc_pids tids = { 0 };
	int error = proc_threads_read(task->dump->proc, &tids), new = 0;
	struct thread *thread;

	if (error < 0)
		return error == -ENOENT ? -ESRCH : error;
	for (size_t i = 0; i < tids.n; i++) {
		if (tids.items[i] != task->pid && find_thread(task, tids.items[i]))
			continue;
		if (tids.items[i] == task->pid && task->leader->dump)
			continue;
		error = seize_thread(task, tids.items[i]);
		if (error == -ESRCH)
			continue; /* it has just ended */
		TRY(error);
		add_thread(d, task, tids.items[i]);
		new++;
	}
	for_each_thread(thread, task) {
		if (!thread->dump || thread->dump->held)
			continue;
		error = wait_thread(d, thread);
		if (error == -ESRCH)
			return refuse(EAGAIN, "thread %d ended while criu was stopping it: try again", thread->tid);
		TRY(error);
	}
	return new;
}

static int read_identity(struct dump *d, struct task *task)
{
	struct proc_stat *stat = &task->dump->stat;

	TRY(proc_stat_read(task->dump->proc, stat));
	snprintf(task->comm, sizeof(task->comm), "%.16s", stat->comm);
	task->vsid = stat->session;
	task->vpgid = stat->pgrp;
	return 0;
}

static int read_statuses(struct dump *d, struct task *task)
{
	struct thread *thread;

	for_each_thread(thread, task) {
		struct proc_status *status = &thread->dump->status;

		TRY(read_thread_status(task, thread->tid, status));
		if (status->seccomp && ptrace(PTRACE_SETOPTIONS, thread->tid, NULL,
					      (void *)(long)(PTRACE_O_TRACESYSGOOD | 1 << 21 /* SUSPEND_SECCOMP */)) < 0)
			return fail_errno("suspending the seccomp filters of thread %d", thread->tid);
	}
	return 0;
}

static int freeze_task(struct dump *d, struct task *task)
{
	int new;

	task->pid = task->vpid;
	task->dump = pool_new(d->pool, struct task_dump);
	task->dump->pidfd = -1;
	task->dump->proc = proc_open(task->pid);
	if (task->dump->proc < 0)
		return refuse(ESRCH, "there is no process %d", task->vpid);
	TRY(read_identity(d, task));
	LOG_SCOPE("task %d (%s)", task->vpid, task->comm);

	if (task->pid == getpid())
		return refuse(EDEADLK, "this is criu itself, and it can't stop itself: start it from outside of the tree");
	if (task->dump->stat.flags & KERNEL_THREAD)
		return refuse(EINVAL, "it is a thread of the kernel: there is nothing to save");
	if (task->dump->stat.state == 'Z' || task->dump->stat.state == 'X') {
		if (task->dump->stat.threads > 1)
			return refuse(EOPNOTSUPP, "its main thread has ended but others still run: this cannot be checkpointed yet");
		task->state = TASK_DEAD;
		return 0;
	}
	task->dump->pidfd = pidfd_of_process(task->pid);
	if (task->dump->pidfd < 0)
		return fail(-task->dump->pidfd, "opening a pidfd");
	do {
		new = stop_new_threads(d, task);
		if (new == -ESRCH)
			return refuse(EAGAIN, "it ended while criu was stopping it: try again");
		TRY(new);
	} while (new);
	if (!task->leader->dump)
		return refuse(EAGAIN, "its main thread ended while criu was stopping it: try again");
	TRY(read_statuses(d, task));
	/* Stopped, sid and pgid can no longer change. */
	TRY(read_identity(d, task));
	task->state = task->dump->was_stopped ? TASK_STOPPED : TASK_ALIVE;
	return 0;
}

/* Children are only final when all threads of the parent stand still, but orphans of dying tasks may still join. */
static int freeze_children(struct dump *d, struct task *task, unsigned *found)
{
	AUTO(proc_pids_done) struct proc_pids pids = { 0 };

	if (!task_is_live(task))
		return 0;
	TRY(proc_children_read(task->dump->proc, &pids));
	for (size_t i = 0; i < pids.n; i++) {
		struct task *child;
		bool known = false;

		for_each_child(child, task)
			known |= child->vpid == pids.items[i];
		if (known)
			continue;
		child = task_tree_add(d->tree, task, pids.items[i]);
		(*found)++;
		TRY(freeze_task(d, child));
	}
	return 0;
}

int freeze_tree(struct dump *d)
{
	unsigned found;
	struct task *task;

	if (d->options->pid == getpid())
		return refuse(EINVAL, "criu cannot checkpoint itself (pid %d)", getpid());
	TRY(fail_point("dump/freeze"));
	TRY(freeze_task(d, task_tree_add(d->tree, NULL, d->options->pid)));
	if (d->tree->root->state == TASK_DEAD)
		return refuse(ESRCH, "process %d is a zombie: there is nothing to save", d->options->pid);
	do {
		found = 0;
		for_each_task(task, d->tree)
			TRY(freeze_children(d, task, &found));
	} while (found);
	for_each_task(task, d->tree)
		if (task->vpid == getpid())
			return refuse(EINVAL, "criu itself (pid %d) is below process %d: run it from outside the tree", getpid(),
				      d->options->pid);
	log_info("Froze %u tasks with %u threads", d->tree->n_tasks, d->tree->n_threads);
	return 0;
}

static void release_task(struct task *task)
{
	struct thread *thread;

	if (!task->dump)
		return;
	for_each_thread(thread, task) {
		struct deadline soon = deadline_in_seconds(2);
		int signal;

		if (!thread->dump)
			continue;
		/* Only a thread that stands still can be let go. */
		if (!thread->dump->held)
			(void)tracee_wait_stop(thread->tid, &soon, &signal);
		tracee_release(thread->tid);
		thread->dump->held = false;
	}
}

static void close_task(struct task *task)
{
	if (!task->dump)
		return;
	if (task->dump->proc >= 0)
		close(task->dump->proc);
	if (task->dump->pidfd >= 0)
		close(task->dump->pidfd);
	task->dump->proc = task->dump->pidfd = -1;
}

void thaw_tree(struct dump *d)
{
	struct task *task;

	for_each_task(task, d->tree) {
		release_task(task);
		close_task(task);
	}
}

/* The signal takes effect a moment after we have let go; who asked for stopped tasks wants to find them so. */
static void wait_stopped(struct task *task)
{
	struct deadline soon = deadline_in_seconds(1);
	struct proc_stat stat;

	while (!deadline_passed(&soon) && proc_stat_read(task->dump->proc, &stat) == 0 && !strchr("TZX", stat.state))
		usleep(100);
}

void stop_tree(struct dump *d)
{
	struct task *task;

	for_each_task(task, d->tree) {
		/* Queued before it is let go, so it stops without running. */
		if (task->state == TASK_ALIVE)
			kill(task->pid, SIGSTOP);
		release_task(task);
	}
	for_each_task(task, d->tree) {
		if (task->state == TASK_ALIVE)
			wait_stopped(task);
		close_task(task);
	}
}

void kill_tree(struct dump *d)
{
	struct thread *thread;
	struct task *task;

	for_each_task(task, d->tree)
		if (task_is_live(task))
			(void)pidfd_signal(task->dump->pidfd, SIGKILL);
	for_each_task(task, d->tree) {
		for_each_thread(thread, task)
			if (thread != task->leader && thread->dump)
				tracee_reap(thread->tid);
		/* Readable when it is dead; who reaps it is not our business. */
		if (task_is_live(task))
			(void)pidfd_wait_exit(task->dump->pidfd, 10000);
		release_task(task);
		close_task(task);
	}
}
