/* SPDX-License-Identifier: GPL-2.0-only */
/* The socket of the service: every connection gets a process of its own, so that no client can harm another one. */
#include "service/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/grace.h"
#include "base/log.h"
#include "base/text.h"
#include "flow/background.h"
#include "kern/pidfd.h"
#include "service/client.h"
#include "service/connection.h"
#include "service/service.h"
#include "service/worker.h"

#define BACKLOG	       16
#define MOST_WORKERS   256
#define MOST_OF_A_USER 64 /* else one user could keep all others out */
#define FIRST_GIVEN    3  /* sd_listen_fds(3) */

/* A socket file of an earlier service is in the way; anything else is not ours to remove. */
static int remove_old(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : fail_errno("--address %s", path);
	if (!S_ISSOCK(st.st_mode))
		return refuse(EEXIST,
			      "--address %s: there is a file that is no socket; remove it or choose another name",
			      path);
	return unlink(path) < 0 ? fail_errno("removing the old socket %s", path) : 0;
}

static int make_socket(const char *path, int *ret)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	mode_t mask;
	int error;

	if (fd < 0)
		return fail_errno("making the socket of the service");
	if (strlen(path) >= sizeof(address.sun_path))
		return refuse(ENAMETOOLONG, "--address %s: at most %zu characters are possible", path,
			      sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	TRY(remove_old(path));
	/*
	 * Who may connect is decided by the directory; what a client may do, by who it is. The file that bind(2) makes
	 * has the mode of the socket, but for the umask.
	 */
	if (fchmod(fd, 0666) < 0)
		return fail_errno("opening the socket to all");
	mask = umask(0);
	error = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
	umask(mask);
	if (error)
		return fail(error, "binding the socket to %s", path);
	if (listen(fd, BACKLOG) < 0)
		return fail_errno("listening at %s", path);
	log_info("Listening at %s", path);
	*ret = TAKE_FD(fd);
	return 0;
}

/* Socket activation: systemd listens for us and hands its socket over as descriptor 3. */
static int take_given(int *ret)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	int given_pid, given, on;
	socklen_t size = sizeof(on);

	*ret = -1;
	if (!pid || !count || text_to_int(pid, &given_pid) < 0 || given_pid != getpid())
		return 0;
	if (text_to_int(count, &given) < 0 || given != 1)
		return refuse(EINVAL, "LISTEN_FDS=%s: the service takes exactly one socket", count);
	if (getsockopt(FIRST_GIVEN, SOL_SOCKET, SO_ACCEPTCONN, &on, &size) < 0 || !on)
		return refuse(EINVAL, "descriptor %d, given by LISTEN_FDS, is no listening socket", FIRST_GIVEN);
	if (fcntl(FIRST_GIVEN, F_SETFD, FD_CLOEXEC) < 0)
		return fail_errno("preparing the given socket");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	log_info("Listening at the socket that was given by descriptor %d", FIRST_GIVEN);
	*ret = FIRST_GIVEN;
	return 0;
}

/* 1 in the process that shall end, 0 in the daemon. */
static int become_daemon(void)
{
	AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid = null < 0 ? -1 : fork();

	if (pid < 0)
		return fail_errno("becoming a daemon");
	if (pid > 0)
		return 1;
	setsid();
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fd != log_fd() || fd == STDIN_FILENO)
			dup2(null, fd);
	return 0;
}

static int serve_client(struct connection *connection)
{
	const struct timeval grace = { GRACE_REQUEST_S, 0 };
	int code;

	failure_reset();
	signal(SIGCHLD, SIG_DFL);
	if (setsockopt(connection->fd, SOL_SOCKET, SO_RCVTIMEO, &grace, sizeof(grace)) < 0 ||
	    setsockopt(connection->fd, SOL_SOCKET, SO_SNDTIMEO, &grace, sizeof(grace)) < 0)
		return WORKER_DROPPED;
	if (client_identify(connection) < 0)
		return WORKER_DROPPED;
	log_info("Client %d of user %u", connection->peer.pid, connection->peer.uid);
	if (client_become(connection) < 0)
		return connection_refuse(connection);
	log_close();
	code = connection_serve(connection);
	close(TAKE_FD(connection->fd));
	/* As long as it runs we are counted. */
	if (connection->page_server >= 0)
		(void)pidfd_wait_exit(connection->page_server, -1);
	return code == WORKER_GOOD ? WORKER_GOOD : WORKER_FAILED;
}

static void note_child(int sig)
{
}

/* The workers that run, and for whom. */
struct children {
	struct {
		pid_t pid;
		uid_t uid;
	} workers[MOST_WORKERS];
	unsigned n;
};

/* Forgets those that have ended. With wait at least one, if there are any. */
static void reap_children(struct children *children, bool wait)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, wait ? 0 : WNOHANG)) > 0 || (wait && pid < 0 && errno == EINTR)) {
		for (unsigned i = 0; i < children->n; i++) {
			if (children->workers[i].pid != pid)
				continue;
			children->workers[i] = children->workers[--children->n];
			wait = false;
			break;
		}
	}
}

static bool has_too_many(const struct children *children, int fd, uid_t *ret)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t size = sizeof(peer);
	unsigned n = 0;

	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
	*ret = peer.uid;
	for (unsigned i = 0; i < children->n; i++)
		n += children->workers[i].uid == peer.uid;
	return peer.uid != geteuid() && n >= MOST_OF_A_USER;
}

/* A process of its own for the connection. */
static void make_worker(struct children *children, struct connection *connection, int listener)
{
	uid_t uid;
	pid_t pid;

	if (has_too_many(children, connection->fd, &uid)) {
		log_warn("A client is sent away: user %u has %d of them", uid, MOST_OF_A_USER);
		return;
	}
	pid = fork();
	if (pid == 0) {
		close(listener);
		exit(serve_client(connection));
	}
	if (pid < 0) {
		log_error("A client is sent away: no process can be made: %s", strerror(errno));
		return;
	}
	children->workers[children->n].pid = pid;
	children->workers[children->n++].uid = uid;
}

static int accept_clients(const struct service_program *program, int listener)
{
	AUTO_CLOSE int home = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* Without SA_RESTART: the death of a worker wakes us. */
	const struct sigaction action = { .sa_handler = note_child };
	struct children children = { .n = 0 };

	sigaction(SIGCHLD, &action, NULL);
	for (;;) {
		AUTO_CLOSE int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		struct connection connection = { .fd = fd, .program = program, .home = home, .page_server = -1 };
		int error = fd < 0 ? errno : 0;

		reap_children(&children, children.n == MOST_WORKERS);
		if (error == EINTR || error == ECONNABORTED)
			continue;
		if (error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS) {
			log_warn("A client must wait: %s", strerror(error));
			sleep(1);
			continue;
		}
		if (error)
			return fail(error, "accepting clients");
		make_worker(&children, &connection, listener);
	}
}

/* What somebody left open who started us is not for the commands of clients. All of our own are closed by exec(2). */
static int close_inherited(const struct options *options, int listener)
{
	AUTO_CLOSE int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_FREE int *fds = NULL;
	int n = self < 0 ? -errno : fd_list(self, "fd", &fds);

	if (n < 0)
		return fail(-n, "cannot list our descriptors");
	for (int i = 0; i < n; i++)
		if (fds[i] > STDERR_FILENO && fds[i] != listener && fds[i] != options->status_fd &&
		    !(fcntl(fds[i], F_GETFD) & FD_CLOEXEC))
			close(fds[i]);
	return 0;
}

static int serve_clients(const struct service_program *program, const struct options *options)
{
	AUTO_CLOSE int listener = -1;
	int result;

	TRY(take_given(&listener));
	TRY(close_inherited(options, listener));
	if (listener < 0)
		TRY(make_socket(options->address ?: "criu_service.socket", &listener));
	if (options->restore_detached) {
		result = become_daemon();
		if (result)
			return result;
	}
	if (options->pidfile) {
		result = file_write_pid(options->pidfile, getpid());
		if (result < 0)
			return fail(-result, "--pidfile %s (it must not exist before)", options->pidfile);
	}
	TRY(background_tell_ready(options, NULL));
	log_flush();
	return accept_clients(program, listener);
}

int service_serve(const struct service_program *program, const struct options *options)
{
	return serve_clients(program, options) < 0 ? 1 : 0;
}
