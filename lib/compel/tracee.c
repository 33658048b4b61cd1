/* SPDX-License-Identifier: LGPL-2.1-only */
/* ptrace(2) attach, stop, detach. PTRACE_SEIZE only: no signal is ever sent to the program. */
#include "lib/compel/tracee.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/thread-wait.h"

#ifndef PTRACE_O_SUSPEND_SECCOMP
#define PTRACE_O_SUSPEND_SECCOMP (1 << 21)
#endif
/* The C library and the kernel name these in enums that cannot be included together. */
#define GETSIGMASK ((enum __ptrace_request)0x420a)
#define SETSIGMASK ((enum __ptrace_request)0x420b)

int tracee_attach(pid_t tid, bool suspend_seccomp, bool kill_with_us)
{
	long options = PTRACE_O_TRACESYSGOOD | (suspend_seccomp ? PTRACE_O_SUSPEND_SECCOMP : 0) |
		       (kill_with_us ? PTRACE_O_EXITKILL : 0);

	if (ptrace(PTRACE_SEIZE, tid, NULL, (void *)options) == 0)
		return 0;
	if (errno == ESRCH || errno == EPERM)
		return -errno;
	return fail_errno("attaching to thread %d", tid);
}

int tracee_suspend_seccomp(pid_t tid)
{
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_SUSPEND_SECCOMP;

	return ptrace(PTRACE_SETOPTIONS, tid, NULL, (void *)options) < 0 ? -errno : 0;
}

int tracee_kill_with_us(pid_t tid)
{
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;

	if (ptrace(PTRACE_SETOPTIONS, tid, NULL, (void *)(options | PTRACE_O_SUSPEND_SECCOMP)) == 0 ||
	    ptrace(PTRACE_SETOPTIONS, tid, NULL, (void *)options) == 0)
		return 0;
	return fail_errno("tying thread %d to us", tid);
}

void tracee_outlive_us(pid_t tid)
{
	(void)ptrace(PTRACE_SETOPTIONS, tid, NULL, (void *)PTRACE_O_TRACESYSGOOD); /* it may have been killed */
}

int tracee_interrupt(pid_t tid)
{
	if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) == 0)
		return 0;
	return errno == ESRCH ? -ESRCH : fail_errno("interrupting thread %d", tid);
}

/* All stops are waited for by their thread: a signal for each would only interrupt us. */
void tracee_stop_quietly(void)
{
	struct sigaction action;

	if (sigaction(SIGCHLD, NULL, &action) < 0 || action.sa_flags & SA_NOCLDSTOP)
		return;
	action.sa_flags |= SA_NOCLDSTOP;
	(void)sigaction(SIGCHLD, &action, NULL);
}

int tracee_seize(pid_t tid, bool suspend_seccomp)
{
	TRY(tracee_attach(tid, suspend_seccomp, false));
	return tracee_interrupt(tid);
}

int tracee_wait(pid_t tid, const struct deadline *deadline, int *status)
{
	int error = thread_wait(tid, deadline, status);

	if (error == -ETIMEDOUT)
		return refuse(ETIMEDOUT,
			      "thread %d did not stop in time (is it in uninterruptible sleep?); raise "
			      "--timeout or try again later",
			      tid);
	return error < 0 && error != -ESRCH ? fail(-error, "waiting for thread %d", tid) : error;
}

int tracee_wait_stop(pid_t tid, const struct deadline *deadline, int *ret_signal)
{
	for (;;) {
		int status, signal;

		TRY(tracee_wait(tid, deadline, &status));
		if (!WIFSTOPPED(status))
			return -ESRCH;
		signal = WSTOPSIG(status);
		if (status >> 16 == PTRACE_EVENT_STOP) {
			*ret_signal = signal == SIGTRAP ? 0 : signal;
			return 0;
		}
		/* Anything else comes before the stop that we asked for: a signal about to be delivered, a system call.
		 */
		if (status >> 16 == 0 && signal != (SIGTRAP | 0x80)) {
			if (ptrace(PTRACE_CONT, tid, NULL, (void *)(long)signal) < 0 && errno != ESRCH)
				return fail_errno("letting thread %d take signal %d", tid, signal);
		} else if (ptrace(PTRACE_CONT, tid, NULL, NULL) < 0 && errno != ESRCH) {
			return fail_errno("letting thread %d run to its stop", tid);
		}
	}
}

/*
 * SIGSTOP cannot be blocked; on its delivery it is exchanged for the one that is wanted, see ptrace(2), "signal
 * injection".
 */
int tracee_stop_by(pid_t tid, int signal, const struct deadline *deadline)
{
	uint64_t mask;
	int status;

	if (syscall(__NR_tkill, tid, SIGSTOP) < 0)
		return fail_errno("stopping thread %d", tid);
	do {
		TRY(tracee_wait(tid, deadline, &status));
		if (!WIFSTOPPED(status))
			return -ESRCH;
		if (status >> 16 == 0 && WSTOPSIG(status) == SIGSTOP)
			break;
		TRY(tracee_continue(tid));
	} while (true);
	TRY(tracee_get_sigmask(tid, &mask));
	TRY(tracee_set_sigmask(tid, mask & ~(1ull << (signal - 1))));
	if (ptrace(PTRACE_CONT, tid, NULL, (void *)(long)signal) < 0)
		return fail_errno("letting thread %d take signal %d", tid, signal);
	return 0;
}

void tracee_reap(pid_t tid)
{
	pid_t pid;
	int status;

	do
		pid = waitpid(tid, &status, __WALL);
	while ((pid > 0 && WIFSTOPPED(status)) || (pid < 0 && errno == EINTR));
}

void tracee_reap_all(pid_t *tids, size_t n, const struct deadline *deadline)
{
	int status;

	while (n && !deadline_passed(deadline)) {
		for (size_t i = 0; i < n;) {
			pid_t pid = waitpid(tids[i], &status, __WALL | WNOHANG);

			if (pid == 0 || (pid > 0 && WIFSTOPPED(status)) || (pid < 0 && errno == EINTR))
				i++;
			else
				tids[i] = tids[--n];
		}
		if (n)
			usleep(100);
	}
}

int tracee_run_to_call(pid_t tid, const struct deadline *deadline)
{
	int status;

	if (ptrace(PTRACE_SYSCALL, tid, NULL, NULL) < 0)
		return errno == ESRCH ? -ESRCH : fail_errno("letting thread %d run to a system call", tid);
	TRY(tracee_wait(tid, deadline, &status));
	return WIFSTOPPED(status) ? 0 : -ESRCH;
}

long tracee_entered_call(pid_t tid)
{
	struct __ptrace_syscall_info info = { 0 };

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof(info), &info) < 0) /* since 5.3 */
		return -2;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		return (long)info.entry.nr;
	return info.op == PTRACE_SYSCALL_INFO_EXIT ? -1 : -2;
}

int tracee_run_to_next(pid_t tid, const struct deadline *deadline, int *lost_stop, long *call)
{
	for (;;) {
		int status;

		if (ptrace(PTRACE_SYSCALL, tid, NULL, NULL) < 0)
			return errno == ESRCH ? -ESRCH : fail_errno("letting thread %d run to a system call", tid);
		TRY(tracee_wait(tid, deadline, &status));
		if (!WIFSTOPPED(status))
			return -ESRCH;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			*call = tracee_entered_call(tid);
			return 0;
		}
		if (status >> 16 == 0 && WSTOPSIG(status) != SIGSTOP)
			return refuse(EIO, "thread %d got signal %d (%s)", tid, WSTOPSIG(status),
				      strsignal(WSTOPSIG(status)));
		if (status >> 16 == 0)
			*lost_stop = SIGSTOP;
	}
}

int tracee_continue(pid_t tid)
{
	return ptrace(PTRACE_CONT, tid, NULL, NULL) < 0 ? fail_errno("letting thread %d run", tid) : 0;
}

int tracee_run_to_entry(pid_t tid, long nr, const struct deadline *deadline, int *lost_stop)
{
	long call;

	do
		TRY(tracee_run_to_next(tid, deadline, lost_stop, &call));
	while (call != nr);
	return 0;
}

int tracee_run_to_exit(pid_t tid, long nr, const struct deadline *deadline, int *lost_stop)
{
	long call;

	do {
		TRY(tracee_run_to_entry(tid, nr, deadline, lost_stop));
		TRY(tracee_run_to_next(tid, deadline, lost_stop, &call));
	} while (call != -1);
	return 0;
}

void tracee_release(pid_t tid)
{
	ptrace(PTRACE_DETACH, tid, NULL, NULL);
}

int tracee_get_sigmask(pid_t tid, uint64_t *ret)
{
	if (ptrace(GETSIGMASK, tid, (void *)sizeof(*ret), ret) < 0)
		return fail_errno("reading the signal mask of thread %d", tid);
	return 0;
}

int tracee_set_sigmask(pid_t tid, uint64_t mask)
{
	if (ptrace(SETSIGMASK, tid, (void *)sizeof(mask), &mask) < 0)
		return fail_errno("setting the signal mask of thread %d", tid);
	return 0;
}
