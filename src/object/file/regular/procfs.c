/* SPDX-License-Identifier: GPL-2.0-only */
/* Files below /proc/PID of a process that is dead: a helper has its pid while they are opened, and dies. */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"
#include "kern/capability.h"
#include "kern/proc/proc.h"
#include "kern/proc/status.h"
#include "object/file/deleted/deleted.h"
#include "object/mount/mount.h"

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
		return refuse(EEXIST,
			      "it belongs to process %d, which was dead at the dump, but somebody has that pid now",
			      pid);
	return made < 0 ? fail_errno("making a helper with pid %d", pid) : 0;
}

static int open_there(int root, const char *name, int flags)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;

	return mount_stay_begin(root, &stay) < 0 ? -1 : open(name, flags);
}

int procfs_open_dead(pid_t pid, int root, const char *name, int flags, int *ret_fd)
{
	int error;

	TRY(make_helper(pid));
	*ret_fd = open_there(root, name, flags);
	error = errno;
	kill(pid, SIGKILL);
	if (waitpid(pid, NULL, 0) < 0)
		return fail_errno("waiting for the helper with pid %d", pid);
	return *ret_fd < 0 ? fail(error, "opening it while a helper has its pid") : 0;
}

/* 0: it is no file of a process. */
static pid_t owner_of(int fd)
{
	char link[32], path[PATH_MAX];
	const char *number;
	struct statfs fs;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (fstatfs(fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC ||
	    file_readlink(AT_FDCWD, link, path, sizeof(path)) < 0)
		return 0;
	number = text_after(path, "/proc/");
	return number ? (pid_t)strtol(number, NULL, 10) : 0;
}

static bool is_thread_of_ours(pid_t tid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/task/%d", tid);
	return access(path, F_OK) == 0;
}

int procfs_check_opened(struct restore *r, int fd)
{
	pid_t pid = owner_of(fd);
	AUTO(proc_status_done) struct proc_status status = { 0 };
	AUTO_CLOSE int proc = -1;

	if (!pid || r->inner_pids) /* it is a number of theirs: regular.c */
		return 0;
	if (is_thread_of_ours(pid))
		return refuse(EPERM, "it is criu's own file now: the process that it belonged to is not there");
	if (task_tree_find_thread(r->tree, pid) || capability_effective(CAP_SYS_PTRACE))
		return 0;
	proc = proc_open(pid);
	if (proc >= 0 && proc_status_read(proc, &status) == 0 && status.cap_permitted)
		return refuse(EPERM, "it belongs to process %d, which has capabilities: only root can restore this",
			      pid);
	return 0;
}
