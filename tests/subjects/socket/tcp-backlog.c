// SPDX-License-Identifier: GPL-2.0-only
/* TCP connections that wait for accept(2) keep their order, their bytes, their ends and what they have agreed upon. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "subject.h"
#include "tools.h"

SUBJECT(.options = "--tcp-established")

#define LONG 60000

enum what { NOTHING, BYTES, MANY, HALF_CLOSED, CLOSED, RESET, RESET_LATE, N_CLIENTS };

/* The order of connecting is not that of the descriptors. */
static const enum what order[N_CLIENTS] = { MANY, RESET, NOTHING, CLOSED, BYTES, RESET_LATE, HALF_CLOSED };

struct backlog {
	int listener, clients[N_CLIENTS];
	uint16_t ports[N_CLIENTS];
	struct tcp_info info;
};

static char bytes[LONG];

static uint16_t port_of(int fd)
{
	struct sockaddr_in6 name;
	socklen_t size = sizeof(name);

	must(getsockname(fd, (struct sockaddr *)&name, &size));
	return ntohs(name.sin6_port);
}

/* A reset leaves at once, and takes back what was not read. */
static void reset(int *fd)
{
	const struct linger now = { .l_onoff = 1 };

	must(setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	must(close(*fd));
	*fd = -1;
}

static void talk(struct backlog *b, enum what what)
{
	int *fd = &b->clients[what];

	if (what == MANY)
		must(send(*fd, bytes, LONG, 0));
	else if (what != NOTHING)
		must(send(*fd, "hello", 5, 0));
	if (what == HALF_CLOSED || what == RESET_LATE)
		must(shutdown(*fd, SHUT_WR));
	if (what == CLOSED) {
		must(close(*fd));
		*fd = -1;
	}
	if (what == RESET || what == RESET_LATE)
		reset(fd);
}

static void build(struct backlog *b, const struct sockaddr *address, socklen_t size, int v6only)
{
	struct sockaddr_in6 to;
	const int on = 1;
	socklen_t length = sizeof(b->info);

	b->listener = must(socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0));
	if (address->sa_family == AF_INET6)
		must(setsockopt(b->listener, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only)));
	must(setsockopt(b->listener, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)));
	must(bind(b->listener, address, size));
	must(listen(b->listener, N_CLIENTS));
	memcpy(&to, address, size);
	to.sin6_port = htons(port_of(b->listener));
	if (address->sa_family == AF_INET6 && !v6only) { /* a client of IPv4 */
		struct sockaddr_in *v4 = (struct sockaddr_in *)&to;
		uint16_t port = to.sin6_port;

		memset(v4, 0, sizeof(*v4));
		v4->sin_family = AF_INET;
		v4->sin_port = port;
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		size = sizeof(*v4);
	}
	for (int i = 0; i < N_CLIENTS; i++) {
		enum what what = order[i];

		b->clients[what] = must(socket(((struct sockaddr *)&to)->sa_family, SOCK_STREAM, 0));
		must(connect(b->clients[what], (struct sockaddr *)&to, size));
		b->ports[what] = port_of(b->clients[what]);
		talk(b, what);
	}
	must(getsockopt(b->clients[NOTHING], IPPROTO_TCP, TCP_INFO, &b->info, &length));
	while (tcp_waiting(b->listener) < N_CLIENTS)
		poll(NULL, 0, 1);
}

static void read_all(int fd, const char *wanted, size_t n)
{
	static char got[LONG + 1];
	size_t done = 0;

	while (done < n) {
		ssize_t part = recv(fd, got + done, sizeof(got) - done, 0);

		CHECK(part > 0);
		done += (size_t)part;
	}
	CHECK(done == n && !memcmp(got, wanted, n));
}

static void check_end(int fd, enum what what)
{
	socklen_t size = sizeof(int);
	int error = 0;
	char byte;

	if (what == HALF_CLOSED || what == CLOSED || what == RESET_LATE)
		CHECK_EQUAL(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
	else if (what == RESET)
		CHECK(recv(fd, &byte, 1, MSG_DONTWAIT) == -1 && errno == ECONNRESET);
	else
		CHECK(recv(fd, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
	/* What the kernel itself still has of a client that was closed ends with its network namespace. */
	if (what != CLOSED)
		CHECK(!getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) &&
		      error == (what == RESET_LATE ? EPIPE : 0));
}

/* Both directions, also more than windows hold. */
static void check_talk(int server, int client)
{
	CHECK_EQUAL(send(server, bytes, LONG, 0), LONG);
	read_all(client, bytes, LONG);
	CHECK_EQUAL(send(client, bytes, LONG, 0), LONG);
	read_all(server, bytes, LONG);
}

static void check(struct backlog *b)
{
	for (int i = 0; i < N_CLIENTS; i++) {
		enum what what = order[i];
		struct sockaddr_in6 peer;
		socklen_t size = sizeof(peer);
		int keepalive = 0, fd = accept(b->listener, (struct sockaddr *)&peer, &size);

		CHECK(fd >= 0);
		CHECK_EQUAL(ntohs(peer.sin6_port), b->ports[what]);
		size = sizeof(keepalive);
		CHECK(!getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &keepalive, &size) && keepalive);
		if (what == MANY)
			read_all(fd, bytes, LONG);
		else if (what != NOTHING)
			read_all(fd, "hello", 5);
		check_end(fd, what);
		if (what == NOTHING) {
			struct tcp_info info;

			size = sizeof(info);
			CHECK(!getsockopt(b->clients[what], IPPROTO_TCP, TCP_INFO, &info, &size));
			CHECK_EQUAL(info.tcpi_options, b->info.tcpi_options);
			CHECK(!getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size));
			CHECK_EQUAL(info.tcpi_options, b->info.tcpi_options);
			CHECK_EQUAL(info.tcpi_snd_wscale, b->info.tcpi_rcv_wscale);
			CHECK_EQUAL(info.tcpi_rcv_wscale, b->info.tcpi_snd_wscale);
		}
		if (what == NOTHING || what == BYTES || what == MANY)
			check_talk(fd, b->clients[what]);
		if (what == HALF_CLOSED) {
			CHECK_EQUAL(send(fd, "answer", 6, 0), 6);
			read_all(b->clients[what], "answer", 6);
		}
	}
	CHECK(accept(b->listener, NULL, NULL) == -1 && errno == EAGAIN);
}

int main(void)
{
	const struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT },
				  both = { .sin6_family = AF_INET6 };
	struct backlog backlogs[3];

	need_linux(6, 10, "TCP connections that wait for accept(2)");
	for (int i = 0; i < LONG; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	build(&backlogs[0], (const struct sockaddr *)&v4, sizeof(v4), 0);
	build(&backlogs[1], (const struct sockaddr *)&v6, sizeof(v6), 1);
	build(&backlogs[2], (const struct sockaddr *)&both, sizeof(both), 0);

	checkpoint();

	for (int i = 0; i < 3; i++)
		check(&backlogs[i]);
	return 0;
}
