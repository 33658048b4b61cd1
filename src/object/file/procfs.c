/* SPDX-License-Identifier: GPL-2.0-only */
/* Files below /proc/PID of a process that is dead: a helper has its pid while they are opened, and dies. */
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "object/file/deleted.h"

static int make_helper(pid_t pid)
{
	struct clone_args args = { .exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&pid, .set_tid_size = 1 };
	long made = syscall(SYS_clone3, &args, sizeof(args));

	if (made == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	if (made < 0 && errno == EEXIST)
		return refuse(EEXIST, "it belongs to process %d, which was dead at the dump, but somebody has that pid now", pid);
	return made < 0 ? fail_errno("making a helper with pid %d", pid) : 0;
}

int procfs_open_dead(pid_t pid, const char *name, int flags, int *ret_fd)
{
	int error;

	TRY(make_helper(pid));
	*ret_fd = open(name, flags);
	error = errno;
	kill(pid, SIGKILL);
	if (waitpid(pid, NULL, 0) < 0)
		return fail_errno("waiting for the helper with pid %d", pid);
	return *ret_fd < 0 ? fail(error, "opening it while a helper has its pid") : 0;
}
