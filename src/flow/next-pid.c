/* SPDX-License-Identifier: GPL-2.0-only */
/* New tasks and threads whose creators may not choose a pid. */
#include "flow/next-pid.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "flow/restore-tree.h"
#include "kern/proc/children.h"
#include "lib/compel/restorer.h"
#include "object/namespace/namespace.h"

#define LAST_PID "/proc/sys/kernel/ns_last_pid"

bool next_pid_is_used(const struct restore *r, const struct task *creator)
{
	/* One of the tree is owned by the user namespace of its root. */
	return creator->restore->user_ns || (r->ids && !r->inner_pids);
}

static int run(struct restore *r, struct task *task, const struct plan *plan)
{
	return remote_run(task->leader->remote, plan, &r->deadline);
}

/* Of the pid namespace that we are in. */
static int write_last(void *arg)
{
	const pid_t *next = arg;
	char text[16];
	int error;

	snprintf(text, sizeof(text), "%d", *next - 1);
	error = file_write_text(AT_FDCWD, LAST_PID, text);
	return error < 0 ? fail(-error, "writing " LAST_PID) : 0;
}

static int try_once(struct restore *r, struct task *creator, struct thread *thread, uint64_t flags, int exit_signal,
		    pid_t *ret)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();
	size_t at;

	restorer_plan_clone_any(plan, thread->remote, flags, exit_signal, &at);
	TRY(r->inner_pids ? namespace_run(r->tree->root->restore->proc, CLONE_NEWPID, write_last, &thread->vtid)
			  : write_last(&thread->vtid));
	TRY(run(r, creator, plan));
	*ret = (pid_t)remote_value(creator->leader->remote, at);
	return *ret < 0 ? fail(-*ret, "making %d", thread->vtid) : 0;
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
	TRY(restorer_wait_arrival(thread->remote, &r->deadline));
	TRY(remote_post(thread->remote, plan));
	if (process) {
		plan_syscall(reap, "reap the one with another pid", __NR_wait4, V(pid), V(0), V(__WALL), V(0));
		TRY(run(r, flags & CLONE_PARENT ? creator->parent : creator, reap));
	}
	while (!process && left == n) {
		if (deadline_passed(&r->deadline))
			return refuse(ETIMEDOUT, "a thread that has another tid does not end");
		usleep(100);
		TRY(count_threads(creator, &left));
	}
	restorer_reset(thread->remote);
	return 0;
}

int next_pid_make(struct restore *r, struct task *creator, struct thread *thread, uint64_t flags, int exit_signal)
{
	unsigned waited_ms = 0;
	pid_t pid = 0;

	for (;;) {
		/* 0 is a signal for nobody. */
		while (!r->inner_pids && kill(thread->vtid, 0) == 0)
			TRY(restore_wait_for_pid(thread->vtid, &waited_ms));
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
