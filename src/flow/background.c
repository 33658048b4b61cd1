/* SPDX-License-Identifier: GPL-2.0-only */
/* Servers for one client: announced when they are ready, in this process or in the background. */
#include "flow/background.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/io.h"
#include "base/log.h"
#include "flow/actions.h"
#include "options/options.h"
#include "session/listener.h"

int background_tell_ready(const struct options *options, struct listener *listener)
{
	TRY(actions_run(options, listener, ACTION_STATUS_READY, 0));
	if (options->status_fd < 0)
		return 0;
	if (io_write(options->status_fd, "", 1) < 0)
		log_warn("--status-fd %d cannot be written", options->status_fd);
	close(options->status_fd);
	return 0;
}

static int announce_pid(const struct options *options, struct listener *listener, pid_t pid)
{
	int error = options->pidfile ? file_write_pid(options->pidfile, pid) : 0;

	if (error < 0)
		return fail(-error, "--pidfile %s (it must not exist before)", options->pidfile);
	log_flush();
	return background_tell_ready(options, listener);
}

struct service {
	const struct listener *listener;
	const char *outcome;
	int (*serve)(void *arg);
	void *arg;
};

static _Noreturn void run_child(const struct options *options, int gate, const struct service *service,
				const sigset_t *mask)
{
	AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int result = -ECANCELED;
	char go;

	interrupt_catch(service->outcome);
	sigprocmask(SIG_SETMASK, mask, NULL);
	setsid();
	failure_reset();
	if (service->listener)
		close(service->listener->connection);
	if (options->status_fd >= 0)
		close(options->status_fd);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fd != log_fd() && fd != options->page_server_fd)
			dup2(null, fd);
	/* The end of the pipe alone: who started us could not announce us. */
	if (io_read(gate, &go, 1) == 1)
		result = service->serve(service->arg);
	close(gate);
	log_close();
	_exit(result < 0);
}

int background_serve(const struct options *options, struct listener *listener, bool background, const char *outcome,
		     int (*serve)(void *arg), void *arg)
{
	const struct service service = { listener, outcome, serve, arg };
	sigset_t all, mask;
	int gate[2], error;
	pid_t pid;

	if (!background) {
		interrupt_catch(outcome);
		TRY(announce_pid(options, listener, getpid()));
		log_flush();
		return serve(arg);
	}
	if (pipe2(gate, O_CLOEXEC) < 0)
		return fail_errno("making a pipe");
	/* Whoever is told of the child may send it a signal at once. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &mask);
	pid = fork();
	if (pid == 0) {
		close(gate[1]);
		run_child(options, gate[0], &service, &mask);
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	close(gate[0]);
	if (pid < 0) {
		error = fail_errno("making a process for the server");
		close(gate[1]);
		return error;
	}
	error = announce_pid(options, listener, pid);
	if (error == 0)
		error = io_write(gate[1], "", 1);
	close(gate[1]);
	if (error < 0) {
		(void)waitpid(pid, NULL, 0);
		return error;
	}
	return pid;
}
