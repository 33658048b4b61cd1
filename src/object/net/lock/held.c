/* SPDX-License-Identifier: GPL-2.0-only */
/* Copies of descriptors of connections. */
#include "object/net/lock/held.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"

int held_copy(struct held *held, enum held_kind kind, int fd, int *ret)
{
	*ret = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (*ret < 0)
		return fail_errno("cannot duplicate the descriptor of a connection");
	*vector_push(&held->fds[kind]) = *ret;
	return 0;
}

static void close_all(struct held *held, enum held_kind kind)
{
	for (size_t i = 0; i < held->fds[kind].n; i++)
		close(held->fds[kind].items[i]);
	held->fds[kind].n = 0;
}

/* One that is closed in repair mode says no good-bye. */
int held_silence(struct held *held)
{
	const int on = 1;

	held->silent = true;
	for (size_t i = 0; i < held->fds[HELD_REPAIRABLE].n; i++)
		if (setsockopt(held->fds[HELD_REPAIRABLE].items[i], IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) < 0)
			return fail_errno(
				"cannot put a connection into repair mode: its other end would see it closed");
	return 0;
}

void held_let_speak(struct held *held)
{
	const int off = -1; /* TCP_REPAIR_OFF_NO_WP, Linux 4.19: without a window probe */

	for (size_t i = 0; i < held->fds[HELD_REPAIRABLE].n && held->silent; i++)
		if (setsockopt(held->fds[HELD_REPAIRABLE].items[i], IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)) < 0)
			log_warn("A connection stays in repair mode: %s", strerror(errno));
	held->silent = false;
}

/* A connection that says good-bye keeps its port in use for a minute (TIME-WAIT). */
static void make_reset(const struct held *held, enum held_kind kind)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	for (size_t i = 0; i < held->fds[kind].n; i++)
		if (setsockopt(held->fds[kind].items[i], SOL_SOCKET, SO_LINGER, &now, sizeof(now)) < 0)
			log_warn("A connection is closed slowly: %s", strerror(errno));
}

void held_reset(struct held *held)
{
	make_reset(held, HELD_DROPPED);
	make_reset(held, HELD_UNREPAIRABLE);
	close_all(held, HELD_UNREPAIRABLE);
}

/* Without processes the sockets are ours alone. */
void held_end_moved(struct held *held)
{
	const int on = 1;

	for (size_t i = 0; i < held->fds[HELD_REPAIRABLE].n && !held->silent; i++)
		if (setsockopt(held->fds[HELD_REPAIRABLE].items[i], IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) < 0)
			log_warn("The other end of a connection may see it closed: %s", strerror(errno));
	close_all(held, HELD_REPAIRABLE);
}

void held_done(struct held *held)
{
	for (enum held_kind kind = 0; kind < N_HELD_KINDS; kind++) {
		close_all(held, kind);
		vector_done(&held->fds[kind]);
	}
}
