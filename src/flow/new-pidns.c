/* SPDX-License-Identifier: GPL-2.0-only */
/* A restore whose pids are taken here: in a pid namespace of its own, with a first process of ours. */
#include "flow/new-pidns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/io.h"
#include "base/log.h"
#include "kern/proc/children.h"
#include "kern/proc/proc.h"
#include "kern/proc/status.h"

/* What the first process tells us when the tasks run. */
struct arrival {
	pid_t root; /* as it sees it */
};

static int show_own_pids(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return fail_errno("--new-pidns: a mount namespace with a /proc of its own");
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return fail_errno("--new-pidns: mounting /proc");
	return 0;
}

/* The tasks have all that they need: what we have is given up, for they may run for long. The line is left: criu may
 * end as soon as it has heard of us, and must not take us with it then. */
static void become_init(bool detached, int line)
{
	AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)prctl(PR_SET_PDEATHSIG, 0);
	(void)prctl(PR_SET_NAME, "criu-init");
	for (int fd = STDIN_FILENO; detached && fd <= STDERR_FILENO; fd++)
		(void)dup2(null, fd);
	if (line > STDERR_FILENO + 1)
		(void)close_range(STDERR_FILENO + 1, (unsigned)line - 1, 0);
	(void)close_range((unsigned)line + 1, ~0u, 0);
	(void)chdir("/");
}

/* Until the last task has ended. Returns what the root ended with. */
static int reap_all(pid_t root)
{
	int status, result = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, 0)) > 0 || errno == EINTR)
		if (pid == root)
			result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return result;
}

static _Noreturn void
run_first(const struct options *options, struct listener *listener,
	  int (*restore)(const struct options *options, struct listener *listener, struct restored *ret), int line)
{
	struct options own = *options;
	struct restored restored = { .client = -1 };
	struct arrival arrival;
	int error;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (options->restore_detached)
		(void)setsid();
	own.restore_detached = true;
	own.new_pidns = false;
	own.pidfile = NULL;
	error = show_own_pids();
	if (error == 0)
		error = restore(&own, listener, &restored);
	arrival.root = restored.root;
	log_flush();
	if (error < 0)
		_exit(1);
	log_close();
	become_init(options->restore_detached, line);
	if (io_write(line, &arrival, sizeof(arrival)) < 0)
		_exit(1);
	close(line);
	_exit(reap_all(arrival.root));
}

/* The child of `first` that is `inner` for itself; 0: it has ended. */
static pid_t find_root(pid_t first, pid_t inner)
{
	AUTO(proc_pids_done) struct proc_pids children = { 0 };
	AUTO_CLOSE int proc = proc_open(first);

	if (proc < 0 || proc_children_read(proc, &children) < 0)
		return 0;
	for (size_t i = 0; i < children.n; i++) {
		AUTO(proc_status_done) struct proc_status status = { 0 };
		AUTO_CLOSE int child = proc_open(children.items[i]);

		if (child >= 0 && proc_status_read(child, &status) == 0 && status.n_levels &&
		    status.ns_pid[status.n_levels - 1] == inner)
			return children.items[i];
	}
	return 0;
}

static int write_pidfile(const struct options *options, pid_t root)
{
	int error = options->pidfile ? file_write_pid(options->pidfile, root) : 0;

	return error < 0 ? fail(-error, "--pidfile %s (it must not exist before)", options->pidfile) : 0;
}

/* The rest of a restore that was not told to go away. */
static void wait_for_end(pid_t first)
{
	log_flush();
	while (waitpid(first, NULL, 0) < 0 && errno == EINTR)
		;
}

static int await_arrival(const struct options *options, pid_t first, int line, struct restored *ret)
{
	struct arrival arrival;
	int status = 0, error;

	if (io_read_exact(line, &arrival, sizeof(arrival)) < 0) {
		while (waitpid(first, &status, 0) < 0 && errno == EINTR)
			;
		return failure_error() ? -failure_error() : fail(EIO, "--new-pidns: the first process has ended");
	}
	ret->root = find_root(first, arrival.root);
	log_info("The restored root %d is %d here, in the pid namespace of the init %d", arrival.root, ret->root,
		 first);
	error = write_pidfile(options, ret->root);
	if (error < 0) {
		kill(first, SIGKILL); /* and with it all others */
		wait_for_end(first);
	} else if (!options->restore_detached) {
		wait_for_end(first);
	}
	return error;
}

int restore_in_new_pidns(const struct options *options, struct listener *listener,
			 int (*restore)(const struct options *options, struct listener *listener, struct restored *ret),
			 struct restored *ret)
{
	AUTO_CLOSE int ours = -1, theirs = -1;
	int line[2];
	pid_t first;

	*ret = (struct restored){ .client = -1 };
	if (pipe2(line, O_CLOEXEC) < 0)
		return fail_errno("making a pipe");
	ours = line[0];
	theirs = line[1];
	if (unshare(CLONE_NEWPID) < 0)
		return fail_errno("--new-pidns: a pid namespace");
	log_flush();
	first = fork();
	if (first < 0)
		return fail_errno("--new-pidns: its first process");
	if (first == 0)
		run_first(options, listener, restore, theirs);
	close(TAKE_FD(theirs));
	return await_arrival(options, first, ours, ret);
}
