// SPDX-License-Identifier: GPL-2.0-only
/* Connections that both sides have ended keep both names; a listener without SO_REUSEADDR survives beside what they
 * left in TIME-WAIT. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>

#include "subject.h"
#include "tools.h"

SUBJECT(.dump_options = "--tcp-established", .restore_options = "--tcp-established")

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* A socket and what it says about itself. */
struct end {
	int fd;
	socklen_t size;
	union address own, peer;
};

static struct end ends[8];

static int ask(const struct end *end, union address *own, union address *peer)
{
	socklen_t size = end->size;

	memset(own, 0, sizeof(*own));
	memset(peer, 0, sizeof(*peer));
	if (getsockname(end->fd, &own->any, &size) < 0)
		return -1;
	size = end->size;
	return getsockopt(end->fd, SOL_SOCKET, SO_PEERNAME, peer, &size);
}

static void keep(struct end *end, int fd, int family)
{
	end->fd = fd;
	end->size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	must(ask(end, &end->own, &end->peer));
}

static void wait_for_end(int fd)
{
	while (tcp_state(fd) != TCP_CLOSE)
		usleep(1000);
}

/* Which of the two ends first decides which of them leaves a TIME-WAIT. */
static void make_pair(struct end *pair, int listener, int family, const union address *to, bool client_first)
{
	socklen_t size = family == AF_INET ? sizeof(to->v4) : sizeof(to->v6);
	int client = must(socket(family, SOCK_STREAM, 0)), server;

	must(connect(client, &to->any, size));
	server = must(accept(listener, NULL, NULL));
	must(shutdown(client_first ? client : server, SHUT_WR));
	must(shutdown(client_first ? server : client, SHUT_WR));
	wait_for_end(client);
	wait_for_end(server);
	keep(&pair[0], client, family);
	size = sizeof(union address);
	must(getsockname(server, (struct sockaddr *)&(union address){ 0 }, &size));
	keep(&pair[1], server, size == sizeof(struct sockaddr_in) ? AF_INET : AF_INET6);
}

static int new_listener(int family, union address *name)
{
	socklen_t size = family == AF_INET ? sizeof(name->v4) : sizeof(name->v6);
	int fd = must(socket(family, SOCK_STREAM, 0));

	must(bind(fd, &name->any, size));
	must(listen(fd, 8));
	must(getsockname(fd, &name->any, &size));
	return fd;
}

static void check_end(const struct end *end)
{
	union address own, peer;
	char c;

	CHECK_EQUAL(ask(end, &own, &peer), 0);
	CHECK(!memcmp(&own, &end->own, sizeof(own)));
	CHECK(!memcmp(&peer, &end->peer, sizeof(peer)));
	CHECK_EQUAL(tcp_state(end->fd), TCP_CLOSE);
	CHECK_EQUAL(read(end->fd, &c, 1), 0);
	CHECK_EQUAL(send(end->fd, &c, 1, MSG_NOSIGNAL), -1);
	CHECK_EQUAL(errno, EPIPE);
}

int main(void)
{
	union address v4 = { .v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) } };
	union address v6 = { .v6 = { .sin6_family = AF_INET6 } }, to6 = v6, mapped = v4;
	int four = new_listener(AF_INET, &v4), six = new_listener(AF_INET6, &v6), fd;

	to6.v6.sin6_addr = in6addr_loopback;
	to6.v6.sin6_port = mapped.v4.sin_port = v6.v6.sin6_port;
	make_pair(&ends[0], four, AF_INET, &v4, true);
	make_pair(&ends[2], four, AF_INET, &v4, false);
	make_pair(&ends[4], six, AF_INET6, &to6, false);
	make_pair(&ends[6], six, AF_INET, &mapped, false);

	checkpoint();

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		check_end(&ends[i]);
	/* The listeners go on. */
	fd = must(socket(AF_INET, SOCK_STREAM, 0));
	CHECK_EQUAL(connect(fd, &v4.any, sizeof(v4.v4)), 0);
	CHECK(accept(four, NULL, NULL) >= 0);
	return 0;
}
