/* SPDX-License-Identifier: LGPL-2.1-only */
/* What is the same for each CPU when a stopped thread makes a system call for us. */
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch_regs.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/thread-wait.h"

int arch_remote_run(pid_t tid)
{
	return ptrace(PTRACE_SYSCALL, tid, NULL, NULL) < 0
		       ? fail_errno("letting thread %d run to its next system call stop", tid)
		       : 0;
}

int arch_remote_wait(pid_t tid, const struct deadline *deadline, int *lost_stop)
{
	int status, error = thread_wait(tid, deadline, &status);

	if (error == -ETIMEDOUT)
		return refuse(ETIMEDOUT,
			      "thread %d did not get through a system call in time: is its cgroup frozen? Thaw it, or "
			      "raise --timeout",
			      tid);
	if (error < 0)
		return fail(-error, "waiting for thread %d", tid);
	if (!WIFSTOPPED(status))
		return refuse(ESRCH, "thread %d has died while it made a system call for us", tid);
	if (WSTOPSIG(status) == (SIGTRAP | 0x80))
		return 0;
	if (status >> 16 == 0 && WSTOPSIG(status) == SIGSTOP)
		*lost_stop = SIGSTOP;
	/* An event stop (a stop signal that has just come) stands before the call; the signal stays pending. */
	if (status >> 16 == PTRACE_EVENT_STOP || (status >> 16 == 0 && WSTOPSIG(status) == SIGSTOP)) {
		TRY(arch_remote_run(tid));
		return arch_remote_wait(tid, deadline, lost_stop);
	}
	return refuse(EIO, "thread %d stopped by signal %d while it made a system call for us", tid, WSTOPSIG(status));
}

int arch_remote_interrupted(pid_t tid, int64_t *ret)
{
	const struct deadline soon = deadline_in_seconds(GRACE_HOME_S);
	int lost_stop = 0, error = arch_remote_run(tid);

	if (error == 0)
		error = arch_remote_wait(tid, &soon, &lost_stop);
	if (error == 0 && ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0)
		error = fail_errno("interrupting thread %d", tid);
	if (error == 0)
		error = arch_remote_run(tid);
	if (error == 0)
		error = arch_remote_wait(tid, &soon, &lost_stop);
	if (lost_stop)
		syscall(__NR_tkill, tid, lost_stop);
	return error ? error : arch_remote_result(tid, ret);
}
