// SPDX-License-Identifier: GPL-2.0-only
/* Options of unix sockets: buffer sizes, time limits, credentials, priorities, the signal owner; of pairs, servers and
 * what they accepted. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "subject.h"

SUBJECT()

static const struct {
	int option, value, wanted;
} options[] = {
	{ SO_SNDBUF, 20000, 40000 }, { SO_RCVBUF, 30000, 60000 }, { SO_PASSCRED, 1, 1 },  { SO_PASSSEC, 1, 1 },
	{ SO_PRIORITY, 3, 3 },	     { SO_RCVLOWAT, 5, 5 },	  { SO_KEEPALIVE, 1, 1 }, { SO_REUSEADDR, 1, 1 },
	{ SO_BROADCAST, 1, 1 },	     { SO_MARK, 77, 77 },
};

#define N_OPTIONS (ARRAY_SIZE(options))

static void set_all(int fd)
{
	const struct timeval limit = { 7, 250000 };
	const struct linger linger = { 1, 9 };

	for (size_t i = 0; i < N_OPTIONS; i++)
		must(setsockopt(fd, SOL_SOCKET, options[i].option, &options[i].value, sizeof(int)));
	must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
	must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	must(fcntl(fd, F_SETOWN, getpid()));
	must(fcntl(fd, F_SETSIG, SIGURG));
	must(fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK | O_ASYNC));
}

static void check_all(int fd)
{
	struct timeval limit;
	struct linger linger;
	socklen_t size = sizeof(limit);

	for (size_t i = 0; i < N_OPTIONS; i++) {
		int value = -1;
		socklen_t length = sizeof(value);

		CHECK(!getsockopt(fd, SOL_SOCKET, options[i].option, &value, &length));
		CHECK_EQUAL(value, options[i].wanted);
	}
	CHECK(!getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, &size));
	CHECK(limit.tv_sec == 7 && limit.tv_usec >= 240000 && limit.tv_usec < 260000);
	size = sizeof(linger);
	CHECK(!getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size));
	CHECK(linger.l_onoff && linger.l_linger == 9);
	CHECK_EQUAL(fcntl(fd, F_GETOWN), getpid());
	CHECK_EQUAL(fcntl(fd, F_GETSIG), SIGURG);
	CHECK_EQUAL(fcntl(fd, F_GETFL) & (O_NONBLOCK | O_ASYNC), O_NONBLOCK | O_ASYNC);
}

static void check_plain(int fd)
{
	int value = -1;
	socklen_t size = sizeof(value);

	CHECK(!getsockopt(fd, SOL_SOCKET, SO_PASSCRED, &value, &size));
	CHECK_EQUAL(value, 0);
	CHECK_EQUAL(fcntl(fd, F_GETFL) & (O_NONBLOCK | O_ASYNC), 0);
}

int main(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "\0options" };
	socklen_t size = offsetof(struct sockaddr_un, sun_path) + 8;
	int pairs[3][2], listener, client, server, waiting;
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	signal(SIGURG, SIG_IGN);
	for (int i = 0; i < 3; i++) {
		must(socketpair(AF_UNIX, types[i], 0, pairs[i]));
		set_all(pairs[i][1]);
	}
	listener = must(socket(AF_UNIX, SOCK_STREAM, 0));
	must(bind(listener, (struct sockaddr *)&address, size));
	must(listen(listener, 5));
	client = must(socket(AF_UNIX, SOCK_STREAM, 0));
	must(connect(client, (struct sockaddr *)&address, size));
	server = must(accept(listener, NULL, NULL));
	waiting = must(socket(AF_UNIX, SOCK_STREAM, 0));
	must(connect(waiting, (struct sockaddr *)&address, size));
	set_all(server);
	set_all(listener);
	set_all(waiting);

	checkpoint();

	for (int i = 0; i < 3; i++) {
		check_plain(pairs[i][0]);
		check_all(pairs[i][1]);
	}
	check_all(server);
	check_all(listener);
	check_all(waiting);
	check_plain(client);
	return 0;
}
