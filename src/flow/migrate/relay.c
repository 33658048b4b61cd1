/* SPDX-License-Identifier: GPL-2.0-only */
/* A process that speaks TLS for us: dumps and restores use the descriptor as it is. */
#include "flow/migrate/relay.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/log.h"
#include "base/pool.h"
#include "pages/peer.h"
#include "pages/tls.h"

#define RELAY_BYTES (256 << 10)

struct relay {
	struct tls *tls;
	int line; /* to criu */
};

/* What the other side sends. Its end is the end of all. */
static void *carry_in(void *arg)
{
	struct relay *relay = arg;
	char *bytes = xmalloc(RELAY_BYTES);
	ssize_t got;

	while ((got = tls_receive(relay->tls, bytes, RELAY_BYTES)) > 0)
		if (io_write(relay->line, bytes, (size_t)got) < 0)
			break;
	_exit(0);
}

static void carry_out(struct relay *relay)
{
	char *bytes = xmalloc(RELAY_BYTES);
	ssize_t got;

	while ((got = read(relay->line, bytes, RELAY_BYTES)) > 0 || (got < 0 && errno == EINTR))
		for (ssize_t at = 0, done; at < got; at += done) {
			done = tls_send(relay->tls, bytes + at, (size_t)(got - at));
			if (done <= 0)
				_exit(1);
		}
	(void)tls_finish(relay->tls);
	free(bytes);
}

static _Noreturn void run_relay(struct relay *relay)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, carry_in, relay) != 0)
		_exit(1);
	carry_out(relay);
	pthread_join(thread, NULL);
	_exit(0);
}

int relay_tls(const struct peer_place *place, int fd, bool is_server, struct wire *ret)
{
	AUTO_CLOSE int connection = fd, theirs = -1, ours = -1;
	AUTO(tls_close) struct tls *tls = NULL;
	struct peer_place patient = *place;
	struct relay relay;
	int ends[2];
	pid_t pid;

	patient.grace = WIRE_GRACE_S;
	TRY(tls_open(&patient, connection, is_server, &tls));
	tls_set_grace(tls, 0); /* who waits for an answer knows how long */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return fail_errno("making a pair of sockets");
	ours = ends[0];
	theirs = ends[1];
	log_flush();
	pid = fork();
	if (pid < 0)
		return fail_errno("making a process that speaks TLS");
	if (pid == 0) {
		close(ours);
		relay = (struct relay){ tls, theirs };
		run_relay(&relay);
	}
	*ret = (struct wire){ .in = ours, .out = ours, .helper = pid };
	ours = -1;
	return 0;
}
