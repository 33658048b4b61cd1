/* SPDX-License-Identifier: GPL-2.0-only */
/* Letting a frozen tree go: running, stopped or killed. */
#include "flow/freeze/thaw.h"

#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/grace.h"
#include "base/log.h"
#include "base/urgent.h"
#include "flow/freeze/freeze-threads.h"
#include "flow/freeze/orphans.h"
#include "flow/number.h"
#include "kern/pidfd.h"
#include "kern/proc/proc.h"
#include "lib/compel/tracee.h"

#define SOON_NS 300000 /* then waiting is not worth the CPU */

static void release_task(struct dump *d, struct task *task, const struct deadline *soon)
{
	struct thread *thread;

	if (!task->dump || task->dump->released)
		return;
	task->dump->released = true;
	for_each_thread(thread, task) {
		int signal;

		if (!thread->dump)
			continue;
		/* Only a thread that stands still can be let go; one that is ending never will. */
		if (!thread->dump->held && !freeze_is_ending(task) && tracee_wait_stop(thread->tid, soon, &signal) == 0)
			(void)freeze_repair_call(d, thread);
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

void release_tree(struct dump *d)
{
	const struct deadline soon = deadline_in_seconds(GRACE_RELEASE_S);
	struct task *task;

	for_each_task(task, d->tree)
		release_task(d, task, &soon);
	urgent_end();
}

void thaw_tree(struct dump *d)
{
	struct task *task;

	release_tree(d);
	for_each_task(task, d->tree)
		close_task(task);
}

/* The signal takes effect a moment after we have let go; who asked for stopped tasks wants to find them so. */
static void wait_stopped(struct task *task)
{
	struct deadline soon = deadline_in_seconds(GRACE_STOP_S);
	struct proc_stat stat;

	while (!deadline_passed(&soon) && proc_stat_read(task->dump->proc, &stat) == 0 && !strchr("TZX", stat.state))
		usleep(100);
}

static void signal_alive(struct dump *d, int signal)
{
	struct task *task;

	for_each_task(task, d->tree)
		if (task->state == TASK_ALIVE)
			kill(task->pid, signal);
}

/* Queued before it is let go, so it stops without running. */
void hold_tree(struct dump *d)
{
	signal_alive(d, SIGSTOP);
}

/* It takes a queued SIGSTOP out, and means nothing to most programs. */
void unhold_tree(struct dump *d)
{
	signal_alive(d, SIGCONT);
}

void stop_tree(struct dump *d)
{
	struct task *task;

	hold_tree(d);
	release_tree(d);
	for_each_task(task, d->tree) {
		if (task->state == TASK_ALIVE)
			wait_stopped(task);
		close_task(task);
	}
}

static bool is_to_be_killed(const struct task *task)
{
	return task_is_live(task) && task->dump->pidfd >= 0;
}

/* Less is given back as fast by the task alone. */
#define MUCH_MEMORY_KB (8 << 10)

static void send_kill(struct dump *d, const struct task *spared)
{
	struct task *task;

	for_each_task(task, d->tree)
		if (task != spared && is_to_be_killed(task))
			(void)pidfd_signal(task->dump->pidfd, SIGKILL);
	/* We would only wait for them. */
	for_each_task(task, d->tree)
		if (task != spared && is_to_be_killed(task) && task->leader->dump->status.vm_rss_kb >= MUCH_MEMORY_KB)
			(void)pidfd_release_memory(task->dump->pidfd);
}

/* That takes some hundred microseconds, and to fall asleep and be woken up as long again. */
static bool dies_soon(const struct task *task)
{
	const uint64_t until = clock_now_ns() + SOON_NS;

	do {
		if (pidfd_wait_exit(task->dump->pidfd, 0) == 0)
			return true;
		sched_yield();
	} while (clock_now_ns() < until);
	return false;
}

/* Readable when it is dead; who reaps it is not our business, but it can be reaped only when we have. */
static void wait_dead(const struct task *task, bool alone, bool reap)
{
	if (!(alone && dies_soon(task)) && pidfd_wait_exit(task->dump->pidfd, GRACE_DEATH_MS) < 0)
		log_warn("task %d (%s) still lives %d s after it was killed", task->vpid, task->comm,
			 GRACE_DEATH_MS / 1000);
	else if (reap)
		tracee_reap(task->pid);
}

static void await_killed(struct dump *d, const struct task *spared)
{
	const struct deadline soon = deadline_in_seconds(GRACE_RELEASE_S);
	bool has_pid_namespaces = d->facts->inner_pids || d->tree->pid_spaces;
	struct thread *thread;
	struct task *task;

	if (has_pid_namespaces)
		number_reap(d->tree, spared);
	for_each_task(task, d->tree) {
		if (task == spared || (task->dump && task->dump->released))
			continue;
		for_each_thread(thread, task)
			if (thread != task->leader && thread->dump && !has_pid_namespaces)
				tracee_reap(thread->tid);
		if (is_to_be_killed(task))
			wait_dead(task, d->tree->n_tasks == 1, spared && !has_pid_namespaces);
		release_task(d, task, &soon);
		close_task(task);
	}
}

void kill_tree(struct dump *d)
{
	struct orphans *orphans = orphans_take_in_dump(d);
	const struct task *root = d->tree->root;

	if (orphans) {
		send_kill(d, root);
		orphans_ignore(orphans);
		await_killed(d, root);
		orphans_reap(&orphans);
	}
	send_kill(d, NULL);
	await_killed(d, NULL);
	urgent_end();
}
