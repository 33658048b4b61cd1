/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore with --on-demand: a process of ours that stays until the tasks have their memory, in place of a daemon. */
#include "object/memory/on-demand.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/fd.h"
#include "base/guard.h"
#include "base/io.h"
#include "base/log.h"
#include "image/store.h"
#include "kern/pidfd.h"
#include "pages/dedup.h"
#include "pages/lazy/lazy.h"
#include "pages/peer.h"
#include "session/images.h"
#include "session/session.h"

/* So often another process is made whose pid no task wants. */
#define TRIES  16
#define END_MS 10000

/* --- in the server --- */

/* Whoever waits for the end of a pipe that criu was given must not wait for us. */
static int drop_descriptors(const struct restore *r, int connection)
{
	const int kept[] = { connection, log_fd(), r->options->images_dir_fd, r->options->post_copy_fd };
	int error = fd_close_others(kept, ARRAY_SIZE(kept));

	return error < 0 ? fail(-error, "opening /dev/null") : 0;
}

static unsigned count_tasks(const struct restore *r)
{
	const struct task *task;
	unsigned n = 0;

	for_each_task(task, r->tree)
		n += task->state != TASK_HELPER;
	return n;
}

/* The directories of the restore's own store are closed. */
static int give_memory(const struct restore *r, int connection)
{
	const struct peer_place place = { .fd = r->options->post_copy_fd, .role = "criu migrate" };
	AUTO(store_close) struct store *store = NULL;
	AUTO(peer_close) struct peer *server = NULL;
	struct lazy_setup setup = { .n_tasks = count_tasks(r), .restorer = connection, .is_ours = true };

	TRY(drop_descriptors(r, connection));
	if (place.fd >= 0) /* what a program left behind that has moved */
		TRY(peer_connect(&place, &server));
	setup.server = server;
	TRY(images_open(r->options, false, &store));
	setup.store = store;
	TRY(lazy_serve(&setup));
	log_info("All tasks have their memory");
	if (r->options->auto_dedup)
		(void)pages_free_all(store); /* logged: the images are larger than they might be */
	return 0;
}

_Noreturn static void run_server(const struct restore *r, int connection)
{
	int result;

	guard_stand_apart("criu-on-demand");
	failure_reset();
	result = give_memory(r, connection);
	log_flush();
	_exit(result < 0);
}

/* --- in criu --- */

struct server {
	struct lazy_hello pids;
	int connection;
};

/* Nobody's child but that of the first process: we, or what --exec-cmd makes of us, know nothing of its end. */
static int start_orphan(const struct restore *r, int theirs, int ours)
{
	int status = 0;
	pid_t pid = fork(), server;

	if (pid < 0)
		return fail_errno("making a process that gives memory to the tasks");
	if (pid == 0) {
		close(ours);
		server = fork();
		if (server == 0)
			run_server(r, theirs);
		_exit(server < 0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status ? refuse(EAGAIN, "cannot make a process that gives memory to the tasks") : 0;
}

static int start_server(const struct restore *r, struct server *ret)
{
	AUTO_CLOSE int theirs = -1, ours = -1;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return fail_errno("making a pair of sockets");
	ours = ends[0];
	theirs = ends[1];
	TRY(start_orphan(r, theirs, ours));
	close(TAKE_FD(theirs));
	if (io_read_exact(ours, &ret->pids, sizeof(ret->pids)) < 0)
		return refuse(ECHILD, "the process that gives memory to the tasks has ended: see above");
	ret->connection = TAKE_FD(ours);
	return 0;
}

static bool is_in_the_way(const struct restore *r, const struct server *server)
{
	return !r->facts->inner_pids && (task_tree_find_thread(r->tree, server->pids.server) ||
					 task_tree_find_thread(r->tree, server->pids.guard));
}

/* Its guard follows. The pids are free, or are those of dead processes, which a task waits for. */
static void dismiss_server(const struct server *server)
{
	AUTO_CLOSE int process = pidfd_of_process(server->pids.server), guard = pidfd_of_process(server->pids.guard);

	kill(server->pids.server, SIGKILL);
	close(server->connection);
	if (process >= 0)
		(void)pidfd_wait_exit(process, END_MS);
	if (guard >= 0)
		(void)pidfd_wait_exit(guard, END_MS);
}

int memory_on_demand_start(const struct restore *r, int *ret_connection, pid_t *ret_server)
{
	struct server servers[TRIES];
	int n = 0, result;

	/* Those that hold a pid that a task wants stay until there is another. */
	do
		result = start_server(r, &servers[n]);
	while (result == 0 && is_in_the_way(r, &servers[n++]) && n < TRIES);
	if (result == 0 && is_in_the_way(r, &servers[n - 1])) {
		result = refuse(EEXIST, "processes of criu itself have pids that tasks want: run it again");
	} else if (result == 0) {
		*ret_connection = servers[--n].connection;
		*ret_server = servers[n].pids.server;
	}
	while (n > 0)
		dismiss_server(&servers[--n]);
	return result;
}
