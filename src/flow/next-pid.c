/* SPDX-License-Identifier: GPL-2.0-only */
/* New tasks and threads whose creators may not choose a pid. */
#include "flow/next-pid.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "flow/pid-wait.h"
#include "kern/proc/children.h"
#include "lib/compel/restorer.h"
#include "object/namespace/namespace.h"

#define LAST_PID "/proc/sys/kernel/ns_last_pid"

bool next_pid_is_used(const struct restore *r, const struct task *creator)
{
	/* One of the tree is owned by the user namespace of its root. */
	return creator->restore->inner_users || (r->ids && !r->inner_pids);
}

static int run_in_task(struct restore *r, struct task *task, const struct plan *plan)
{
	return remote_run(task->leader->remote, plan, &r->deadline);
}

/* The last pid that was given away: what to make of it, and what it was. */
struct last {
	pid_t wanted, old;
};

/* Of the pid namespace that we are in. */
static int write_last(void *arg)
{
	struct last *last = arg;
	char text[16];
	ssize_t size = file_read_text(AT_FDCWD, LAST_PID, text, sizeof(text));
	int error;

	last->old = size > 0 ? atoi(text) : 0;
	snprintf(text, sizeof(text), "%d", last->wanted);
	error = file_write_text(AT_FDCWD, LAST_PID, text);
	return error < 0 ? fail(-error, "writing " LAST_PID) : 0;
}

static int set_last(struct restore *r, pid_t wanted, pid_t *ret_old)
{
	struct last last = { .wanted = wanted };

	TRY(r->inner_pids ? namespace_run(r->tree->root->restore->proc, CLONE_NEWPID, write_last, &last)
			  : write_last(&last));
	*ret_old = last.old;
	return 0;
}

static int try_once(struct restore *r, struct task *creator, struct thread *thread, uint64_t flags, int exit_signal,
		    pid_t *ret)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();
	pid_t old, unused;
	size_t at;

	restorer_plan_clone_any(plan, thread->remote, flags, exit_signal, &at);
	TRY(set_last(r, thread->vtid - 1, &old));
	TRY(run_in_task(r, creator, plan));
	/* Others shall not go on where we have more to make. */
	TRY(set_last(r, old, &unused));
	*ret = (pid_t)remote_value(creator->leader->remote, at);
	return *ret < 0 ? fail(-*ret, "making %d", thread->vtid) : 0;
}

/* Who was faster may be there for a moment only. */
#define GRACE_MS 5000

static int await_pid(const struct restore *r, pid_t pid)
{
	unsigned waited_ms = 0;

	for (unsigned i = 0; i < GRACE_MS && !r->inner_pids && kill(pid, 0) == 0; i++)
		usleep(1000);
	while (!r->inner_pids && kill(pid, 0) == 0)
		TRY(restore_wait_for_pid(r, pid, &waited_ms));
	return 0;
}

static int count_threads(const struct task *task, size_t *ret)
{
	AUTO(proc_pids_done) struct proc_pids tids = { 0 };

	TRY(proc_threads_read(task->restore->proc, &tids));
	*ret = tids.n;
	return 0;
}

/* The new one has another pid, and ends. */
static int end_other(struct restore *r, struct task *creator, struct thread *thread, uint64_t flags, pid_t pid)
{
	AUTO(plan_destroy) struct plan *plan = plan_create(), *reap = plan_create();
	bool process = !(flags & CLONE_THREAD);
	size_t n = 0, left;

	TRY(count_threads(creator, &n));
	left = n;
	plan_syscall(plan, "end again", process ? __NR_exit_group : __NR_exit, V(0));
	if (!r->inner_pids)
		restorer_set_tid(thread->remote, pid);
	TRY(restorer_wait_arrival(thread->remote, &r->deadline));
	TRY(remote_post(thread->remote, plan));
	if (process) {
		plan_syscall(reap, "reap the one with another pid", __NR_wait4, V(pid), V(0), V(__WALL), V(0));
		TRY(run_in_task(r, flags & CLONE_PARENT ? creator->parent : creator, reap));
	}
	while (!process && left == n) {
		if (deadline_passed(&r->deadline))
			return refuse(ETIMEDOUT, "a thread that has another tid does not end");
		usleep(100);
		TRY(count_threads(creator, &left));
	}
	if (!r->inner_pids)
		restorer_set_tid(thread->remote, thread->vtid);
	restorer_reset(thread->remote);
	return 0;
}

int next_pid_make(struct restore *r, struct task *creator, struct thread *thread, uint64_t flags, int exit_signal)
{
	pid_t pid = 0;

	for (;;) {
		TRY(await_pid(r, thread->vtid));
		TRY(try_once(r, creator, thread, flags, exit_signal, &pid));
		if (pid == thread->vtid)
			return 0;
		log_debug("It has got the pid %d instead of %d: once more", pid, thread->vtid);
		TRY(end_other(r, creator, thread, flags, pid));
		if (deadline_passed(&r->deadline))
			return refuse(EAGAIN,
				      "others were always faster in taking the pid %d: try again when less processes "
				      "are started here",
				      thread->vtid);
	}
}
