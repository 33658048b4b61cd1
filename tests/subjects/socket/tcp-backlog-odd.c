// SPDX-License-Identifier: GPL-2.0-only
/* TCP connections that wait for accept(2) in sockets with options that change handshakes. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "subject.h"
#include "tools.h"

SUBJECT(.options = "--tcp-established")

#define LONG 400000

enum what { PLAIN, LARGE, SMALL, CLAMPED, DEFERRED, LESS_THAN_WAIT, URGENT, N };

struct listening {
	int fd, client;
	size_t sent;
};

static char bytes[LONG];

static void set(int fd, int level, int option, int value)
{
	must(setsockopt(fd, level, option, &value, sizeof(value)));
}

static int get(int fd, int level, int option)
{
	socklen_t size = sizeof(int);
	int value = 0;

	must(getsockopt(fd, level, option, &value, &size));
	return value;
}

static int begin_listening(enum what what)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = must(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));

	if (what == LARGE)
		set(fd, SOL_SOCKET, SO_RCVBUFFORCE, 2 * LONG);
	if (what == SMALL)
		set(fd, SOL_SOCKET, SO_RCVBUF, 8192);
	if (what == CLAMPED) {
		set(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, 20000);
		set(fd, IPPROTO_TCP, TCP_MAXSEG, 700);
	}
	if (what == URGENT)
		set(fd, SOL_SOCKET, SO_OOBINLINE, 1);
	if (what == DEFERRED)
		set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 30);
	must(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	must(listen(fd, 16));
	return fd;
}

static int connect_to(int listener)
{
	int fd = must(socket(AF_INET, SOCK_STREAM, 0));
	struct sockaddr_in address;
	socklen_t size = sizeof(address);

	must(getsockname(listener, (struct sockaddr *)&address, &size));
	must(connect(fd, (struct sockaddr *)&address, size));
	return fd;
}

/* What the receiver has, until nothing more is acknowledged at once. */
static void build(struct listening *l, enum what what)
{
	ssize_t part;

	l->fd = begin_listening(what);
	l->client = connect_to(l->fd);
	if (what == LARGE || what == SMALL || what == CLAMPED)
		while (l->sent < LONG && (part = send(l->client, bytes + l->sent, LONG - l->sent, MSG_DONTWAIT)) > 0)
			l->sent += (size_t)part;
	else
		l->sent = (size_t)must(send(l->client, bytes, 11, 0));
	if (what == URGENT)
		l->sent += (size_t)must(send(l->client, bytes + 11, 1, MSG_OOB));
	while (!tcp_waiting(l->fd))
		poll(NULL, 0, 1);
	if (what == LESS_THAN_WAIT) {
		must(connect_to(l->fd));
		must(listen(l->fd, 0));
	}
}

static void check(struct listening *l, enum what what)
{
	int fd = accept(l->fd, NULL, NULL);
	size_t done = 0;
	static char got[LONG];

	CHECK(fd >= 0);
	while (done < l->sent) {
		ssize_t part = recv(fd, got + done, LONG - done, 0);

		CHECK(part > 0);
		done += (size_t)part;
	}
	CHECK(done == l->sent && !memcmp(got, bytes, done));
	CHECK_EQUAL(send(fd, "answer", 6, 0), 6);
	CHECK_EQUAL(recv(l->client, got, 6, MSG_WAITALL), 6);
	if (what == LARGE || what == SMALL) /* fixed sizes */
		CHECK_EQUAL(get(fd, SOL_SOCKET, SO_RCVBUF), get(l->fd, SOL_SOCKET, SO_RCVBUF));
	if (what == DEFERRED)
		CHECK(get(l->fd, IPPROTO_TCP, TCP_DEFER_ACCEPT) > 0);
	if (what == CLAMPED)
		CHECK_EQUAL(get(l->fd, IPPROTO_TCP, TCP_WINDOW_CLAMP), 20000);
	if (what == LESS_THAN_WAIT)
		CHECK(accept(l->fd, NULL, NULL) >= 0);
	CHECK(accept(l->fd, NULL, NULL) == -1 && errno == EAGAIN);
}

int main(void)
{
	struct listening listening[N] = { 0 };

	need_linux(6, 10, "TCP connections that wait for accept(2)");
	for (int i = 0; i < LONG; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	for (enum what what = 0; what < N; what++)
		build(&listening[what], what);

	checkpoint();

	for (enum what what = 0; what < N; what++)
		check(&listening[what], what);
	return 0;
}
