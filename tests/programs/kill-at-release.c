// SPDX-License-Identifier: GPL-2.0-only
/* Runs a restore and kills it in front of the Nth call by which it unties or lets go a thread: SIGKILL for the process
 * or for its whole group. Prints how many of these calls there were. kill-at-release N process|group COMMAND... */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static bool lets_go(pid_t pid)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0 || info.op != PTRACE_SYSCALL_INFO_ENTRY ||
	    info.entry.nr != SYS_ptrace)
		return false;
	return info.entry.args[0] == PTRACE_DETACH ||
	       (info.entry.args[0] == PTRACE_SETOPTIONS && !(info.entry.args[3] & PTRACE_O_EXITKILL));
}

int main(int argc, char **argv)
{
	int wanted = argc > 3 ? atoi(argv[1]) : 0, calls = 0, status;
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 && raise(SIGSTOP) == 0)
			execvp(argv[3], argv + 3);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) < 0)
		return 1;
	for (int signal = 0; WIFSTOPPED(status);) {
		if (signal == (SIGTRAP | 0x80) || signal == SIGTRAP)
			signal = 0;
		(void)ptrace(PTRACE_SYSCALL, pid, NULL, (long)signal); /* it may have been killed */
		if (waitpid(pid, &status, 0) != pid)
			return 1;
		signal = WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
		if (signal == (SIGTRAP | 0x80) && lets_go(pid) && ++calls == wanted)
			kill(strcmp(argv[2], "group") == 0 ? -pid : pid, SIGKILL);
	}
	printf("%d\n", calls);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}
