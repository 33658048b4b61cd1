// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a command and counts the system calls of it and its threads, and how often it waited with success for another
 * process: for criu these are the ptrace stops of tasks. What only passes the time is not counted, as there is more of
 * it while somebody counts. Prints "CALLS STOPS STATUS" to the file given.
 * usage: count RESULT CMD...
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct counts {
	unsigned long calls, stops;
};

#define THREADS_MAX 65536 /* by number, modulo: whoever has made a call that waits */

static int passes_time(unsigned long nr)
{
	return nr == SYS_sched_yield || nr == SYS_clock_nanosleep || nr == SYS_nanosleep || nr == SYS_futex;
}

static void look_at_call(pid_t tid, struct counts *counts)
{
	static unsigned char waits[THREADS_MAX];
	struct __ptrace_syscall_info info = { 0 };

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof(info), &info) < 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		waits[tid % THREADS_MAX] = info.entry.nr == SYS_wait4;
		counts->calls += info.entry.nr != SYS_wait4 && !passes_time(info.entry.nr);
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT && waits[tid % THREADS_MAX] && info.exit.rval > 0) {
		counts->calls++;
		counts->stops++;
	}
}

/* Threads are traced, too; what it forks is not: criu traces such processes itself. */
static int trace(pid_t pid, struct counts *counts)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
	int status, first = 1;
	pid_t tid;

	while ((tid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		int signal = 0;

		if (tid < 0)
			continue;
		if (!WIFSTOPPED(status)) {
			if (tid == pid)
				return status;
			continue;
		}
		if (first)
			ptrace(PTRACE_SETOPTIONS, tid, NULL, (void *)options);
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			look_at_call(tid, counts);
		else if (!first && !(status >> 16) && WSTOPSIG(status) != SIGSTOP)
			signal = WSTOPSIG(status);
		first = 0;
		ptrace(PTRACE_SYSCALL, tid, NULL, (void *)(long)signal);
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct counts counts = { 0 };
	int status, fd;
	pid_t pid;

	if (argc < 3)
		return 2;
	pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execv(argv[2], argv + 2);
		_exit(127);
	}
	status = trace(pid, &counts);
	fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		return 125;
	dprintf(fd, "%lu %lu %d\n", counts.calls, counts.stops, status);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
