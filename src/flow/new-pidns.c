/* SPDX-License-Identifier: GPL-2.0-only */
/* A restore whose pids are taken here: in a pid namespace of its own, with a first process of ours. */
#include "flow/new-pidns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/io.h"
#include "base/log.h"
#include "flow/init.h"

/* What the first process tells us when the tasks run. */
struct arrival {
	pid_t root; /* as it sees it */
};

static _Noreturn void run_first(const struct options *options, struct listener *listener, restore_t *restore, int line)
{
	struct options own = *options;
	struct restored restored = { 0 };
	struct arrival arrival;
	int error;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (options->restore_detached)
		(void)setsid();
	own.restore_detached = true;
	own.new_pidns = false;
	own.pidfile = NULL;
	error = init_show_own_pids("--new-pidns");
	if (error == 0)
		error = restore(&own, listener, NULL, &restored);
	arrival.root = restored.root;
	log_flush();
	if (error < 0)
		_exit(1);
	log_close();
	/* The line is left: criu may end as soon as it has heard of us, and must not take us with it then. */
	(void)prctl(PR_SET_PDEATHSIG, 0);
	init_become(options->restore_detached, line);
	if (io_write(line, &arrival, sizeof(arrival)) < 0)
		_exit(1);
	close(line);
	_exit(init_reap_all(arrival.root));
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
	ret->root = init_find_child(first, arrival.root);
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

int restore_in_new_pidns(const struct options *options, struct listener *listener, restore_t *restore,
			 struct restored *ret)
{
	AUTO_CLOSE int ours = -1, theirs = -1;
	int line[2];
	pid_t first;

	*ret = (struct restored){ 0 };
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
