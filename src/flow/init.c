/* SPDX-License-Identifier: GPL-2.0-only */
/* The first process of a pid namespace that criu makes for a restore. */
#include "flow/init.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "kern/proc/children.h"
#include "kern/proc/proc.h"
#include "kern/proc/status.h"

int init_show_own_pids(const char *option)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return fail_errno("%s: a mount namespace with a /proc of its own", option);
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return fail_errno("%s: mounting /proc", option);
	return 0;
}

void init_become(bool detached, int keep)
{
	AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)prctl(PR_SET_NAME, "criu-init");
	for (int fd = STDIN_FILENO; detached && fd <= STDERR_FILENO; fd++)
		(void)dup2(null, fd);
	if (keep > STDERR_FILENO + 1)
		(void)close_range(STDERR_FILENO + 1, (unsigned)keep - 1, 0);
	(void)close_range((unsigned)keep + 1, ~0u, 0);
	(void)TAKE_FD(null);
	(void)chdir("/");
}

int init_reap_all(pid_t root)
{
	int status, result = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, 0)) > 0 || errno == EINTR)
		if (pid == root)
			result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return result;
}

pid_t init_find_child(pid_t parent, pid_t inner)
{
	AUTO(proc_pids_done) struct proc_pids children = { 0 };
	AUTO(proc_status_done) struct proc_status own = { 0 };
	AUTO_CLOSE int proc = proc_open(parent);

	if (proc < 0 || proc_status_read(proc, &own) < 0 || !own.n_levels || proc_children_read(proc, &children) < 0)
		return 0;
	for (size_t i = 0; i < children.n; i++) {
		AUTO(proc_status_done) struct proc_status status = { 0 };
		AUTO_CLOSE int child = proc_open(children.items[i]);

		/* It may be the first of a pid namespace within that of its parent. */
		if (child >= 0 && proc_status_read(child, &status) == 0 && status.n_levels >= own.n_levels &&
		    status.ns_pid[own.n_levels - 1] == inner)
			return children.items[i];
	}
	return 0;
}
