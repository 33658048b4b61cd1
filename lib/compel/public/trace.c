/* SPDX-License-Identifier: LGPL-2.1-only */
/* Running several tracees to a place: first near it by a breakpoint, then from call to call. */
#include <compel/infect.h>
#include <compel/ptrace.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/vector.h"
#include "lib/compel/public/ctl.h"
#include "lib/compel/tracee.h"

static int run_to_call(pid_t pid)
{
	if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0)
		return fail_errno("letting thread %d run to a system call", pid);
	return 0;
}

int compel_stop_pie(pid_t pid, void *addr, bool no_bp)
{
	int set = no_bp ? 0 : ptrace_set_breakpoint(pid, addr);

	if (set < 0)
		return -1;
	return set > 0 ? 0 : ctl_result(run_to_call(pid));
}

/* Threads that have entered the call. */
struct trace_inside {
	VECTOR(pid_t) pids;
};

static void inside_done(struct trace_inside *inside)
{
	vector_done(&inside->pids);
}

static bool take_out(struct trace_inside *inside, pid_t pid)
{
	for (size_t i = 0; i < inside->pids.n; i++) {
		if (inside->pids.items[i] != pid)
			continue;
		inside->pids.items[i] = inside->pids.items[--inside->pids.n];
		return true;
	}
	return false;
}

/* One stop. Returns 1 if it is the one that is wanted, else the thread runs on. */
static int take_stop(struct trace_inside *inside, pid_t pid, int status, int nr, int nr_compat)
{
	long call;

	if (!WIFSTOPPED(status))
		return refuse(ESRCH, "thread %d has died", pid);
	call = tracee_entered_call(pid);
	if (call == -1 && take_out(inside, pid))
		return 1;
	if (call >= 0 && (call == nr || call == nr_compat)) {
		*vector_push(&inside->pids) = pid;
	} else if (call == -2 && status >> 16 == 0) {
		if (WSTOPSIG(status) != SIGTRAP)
			return refuse(EIO, "thread %d got signal %d (%s)", pid, WSTOPSIG(status),
				      strsignal(WSTOPSIG(status)));
		if (ptrace_flush_breakpoints(pid) < 0)
			return fail_errno("thread %d: taking its breakpoint away", pid);
	}
	return run_to_call(pid);
}

int compel_stop_on_syscall(int tasks, int nr, int nr_compat)
{
	AUTO(inside_done) struct trace_inside inside = { 0 };

	while (tasks > 0) {
		int status, there;
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			return ctl_result(fail_errno("waiting for %d more threads", tasks));
		there = take_stop(&inside, pid, status, nr, nr_compat);
		if (there < 0)
			return ctl_result(there);
		tasks -= there;
	}
	return 0;
}
