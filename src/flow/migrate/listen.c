/* SPDX-License-Identifier: GPL-2.0-only */
/* criu migrate --listen: who connects is served by a process of its own. */
#include "flow/migrate/listen.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/deadline.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "flow/background.h"
#include "flow/migrate/arrive.h"
#include "flow/migrate/folder.h"
#include "flow/migrate/place.h"
#include "flow/page-server.h"
#include "options/options.h"
#include "pages/peer.h"

struct doorman {
	const struct options *options;
	struct migrate_place place;
	int listener;
};

static _Noreturn void serve_one(struct doorman *doorman, int fd)
{
	struct wire wire = WIRE_NONE;
	int error;

	failure_reset();
	close(doorman->listener);
	error = place_welcome(doorman->options, &doorman->place, fd, &wire);
	if (error == 0)
		error = arrival_serve(doorman->options, &wire);
	wire_close(&wire);
	log_flush();
	_exit(error < 0);
}

static int let_in(struct doorman *doorman)
{
	AUTO_CLOSE int fd = accept4(doorman->listener, NULL, NULL, SOCK_CLOEXEC);
	pid_t pid;

	if (fd < 0)
		return errno == EINTR || errno == ECONNABORTED || errno == EAGAIN
			       ? 0
			       : fail_errno("cannot accept a connection");
	log_flush();
	pid = fork();
	if (pid == 0)
		serve_one(doorman, TAKE_FD(fd));
	if (pid < 0)
		log_warn("A connection cannot be served: no process can be made");
	return 0;
}

/* Its tasks have died with it, or run on; its images are of no use any more. */
static void bury_server(const struct doorman *doorman, int signal)
{
	log_warn("A process that took in a program was killed by signal %d", signal);
	folder_sweep(doorman->options, true);
}

static int serve_all(void *arg)
{
	struct doorman *doorman = arg;
	int status;

	for (;;) {
		const struct deadline soon = deadline_in_seconds(1);
		int result = interrupt_poll(doorman->listener, POLLIN, &soon);

		TRY(result);
		while (waitpid(-1, &status, WNOHANG) > 0)
			if (WIFSIGNALED(status))
				bury_server(doorman, WTERMSIG(status));
		if (result > 0)
			TRY(let_in(doorman));
	}
}

static int serve_given(const struct options *options, const struct migrate_place *place)
{
	struct wire wire = WIRE_NONE;
	int error = place_take_given(place, &wire);

	if (error == 0)
		error = arrival_serve(options, &wire);
	wire_close(&wire);
	return error;
}

int migrate_listen(const struct options *options)
{
	struct doorman doorman = { .options = options };
	struct peer_place here = page_server_place(options);
	uint16_t port;
	int result;

	TRY(place_parse(options, options->listen, &doorman.place));
	if (doorman.place.way == MIGRATE_BY_FD)
		return serve_given(options, &doorman.place);
	if (doorman.place.way == MIGRATE_BY_SSH)
		return refuse(EBADRQC, "--listen %s: ssh starts criu by itself, nobody has to listen", options->listen);
	here.address = doorman.place.host;
	here.port = doorman.place.port;
	here.fd = -1;
	doorman.listener = peer_listen(&here, &port);
	TRY(doorman.listener);
	log_message("Listening at port %u\n", port);
	result = background_serve(options, NULL, options->restore_detached, "nobody listens any more", serve_all,
				  &doorman);
	close(doorman.listener);
	return result < 0 ? result : 0;
}
