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
#include "lib/compel/restorer.h"

#define LAST_PID "/proc/sys/kernel/ns_last_pid"

bool next_pid_is_used(const struct restore *r)
{
	return r->ids && !r->inner_pids;
}

static int run(struct restore *r, struct task *task, const struct plan *plan)
{
	return remote_run(task->leader->remote, plan, &r->deadline);
}

static int try_once(struct restore *r, struct task *creator, struct thread *thread, uint64_t flags, int exit_signal,
		    pid_t *ret)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();
	char last[16];
	size_t at;
	int error;

	restorer_plan_clone_any(plan, thread->remote, flags, exit_signal, &at);
	snprintf(last, sizeof(last), "%d", thread->vtid - 1);
	error = file_write_text(AT_FDCWD, LAST_PID, last);
	if (error < 0)
		return fail(-error, "writing " LAST_PID);
	TRY(run(r, creator, plan));
	*ret = (pid_t)remote_value(creator->leader->remote, at);
	return *ret < 0 ? fail(-*ret, "making %d", thread->vtid) : 0;
}

static bool is_there(const struct task *task, pid_t tid)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", task->pid, tid);
	return access(path, F_OK) == 0;
}

/* The new one has another pid, and ends. */
static int end_other(struct restore *r, struct task *creator, struct thread *thread, uint64_t flags, pid_t pid)
{
	AUTO(plan_destroy) struct plan *plan = plan_create(), *reap = plan_create();
	bool process = !(flags & CLONE_THREAD);

	plan_syscall(plan, "end again", process ? __NR_exit_group : __NR_exit, V(0));
	TRY(restorer_wait_arrival(thread->remote, &r->deadline));
	TRY(remote_post(thread->remote, plan));
	if (process) {
		plan_syscall(reap, "reap the one with another pid", __NR_wait4, V(pid), V(0), V(__WALL), V(0));
		TRY(run(r, flags & CLONE_PARENT ? creator->parent : creator, reap));
	}
	while (!process && is_there(creator, pid)) {
		if (deadline_passed(&r->deadline))
			return refuse(ETIMEDOUT, "a thread that has another tid does not end");
		usleep(100);
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
		while (kill(thread->vtid, 0) == 0)
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
