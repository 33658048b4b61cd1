// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets of Multipath TCP without a connection stay such ones: new, bound, listening, with plain clients and options;
 * one that waits to be accepted takes Linux 6.10.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT(.options = "--tcp-established")

#define BACKLOG 17

static int new_socket(int family)
{
	int fd = socket(family, SOCK_STREAM, IPPROTO_MPTCP);

	if (fd < 0)
		skip("this kernel has no Multipath TCP");
	return fd;
}

static int read_number(int fd, int level, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);

	CHECK_EQUAL(getsockopt(fd, level, option, &value, &size), 0);
	return value;
}

static int name_it(int fd, const struct sockaddr_in6 *wanted, struct sockaddr_in6 *ret)
{
	socklen_t size = sizeof(*ret);

	must(bind(fd, (const struct sockaddr *)wanted, sizeof(*wanted)));
	return must(getsockname(fd, (struct sockaddr *)ret, &size));
}

static struct tcp_info read_info(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	CHECK_EQUAL(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
	return info;
}

/* A client of plain TCP; its server is one, too. */
static int call(const struct sockaddr_in6 *name)
{
	int fd = must(socket(AF_INET6, SOCK_STREAM, 0));

	must(connect(fd, (const struct sockaddr *)name, sizeof(*name)));
	must(send(fd, "hello", 5, 0));
	return fd;
}

static void check_server(int fd)
{
	char text[8];

	CHECK_EQUAL(read_number(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
	CHECK_EQUAL(recv(fd, text, 5, MSG_WAITALL), 5);
	CHECK(!memcmp(text, "hello", 5));
	CHECK_EQUAL(send(fd, "yes", 3, 0), 3);
}

static void check_client(int fd)
{
	char text[8];

	CHECK_EQUAL(recv(fd, text, 3, MSG_WAITALL), 3);
}

int main(void)
{
	const struct sockaddr_in6 lo = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in6 bound_name, name, now;
	socklen_t size = sizeof(now);
	int new = new_socket(AF_INET), bound = new_socket(AF_INET6), listener = new_socket(AF_INET6);
	int accepted_client, accepted, waiting_client, late;
	const int on = 1, idle = 33, buffer = 100000;

	must(setsockopt(new, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
	name_it(bound, &lo, &bound_name);
	must(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	must(setsockopt(listener, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)));
	must(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer)));
	must(setsockopt(listener, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle)));
	name_it(listener, &lo, &name);
	must(listen(listener, BACKLOG));
	accepted_client = call(&name);
	accepted = must(accept(listener, NULL, NULL));
	waiting_client = has_linux(6, 10) ? call(&name) : -1;
	while (waiting_client >= 0 && read_info(listener).tcpi_unacked != 1)
		poll(NULL, 0, 1);

	checkpoint();

	CHECK_EQUAL(read_number(new, SOL_SOCKET, SO_PROTOCOL), IPPROTO_MPTCP);
	CHECK_EQUAL(read_number(new, IPPROTO_TCP, TCP_NODELAY), 1);
	CHECK_EQUAL(read_number(bound, SOL_SOCKET, SO_PROTOCOL), IPPROTO_MPTCP);
	CHECK_EQUAL(getsockname(bound, (struct sockaddr *)&now, &size), 0);
	CHECK(!memcmp(&now, &bound_name, sizeof(now)));
	CHECK_EQUAL(read_number(listener, SOL_SOCKET, SO_PROTOCOL), IPPROTO_MPTCP);
	CHECK_EQUAL(read_number(listener, SOL_SOCKET, SO_KEEPALIVE), 1);
	CHECK_EQUAL(read_number(listener, SOL_SOCKET, SO_RCVBUF), 2 * buffer);
	CHECK_EQUAL(read_number(listener, IPPROTO_TCP, TCP_KEEPIDLE), idle);
	CHECK_EQUAL(read_info(listener).tcpi_state, TCP_LISTEN);
	CHECK_EQUAL(read_info(listener).tcpi_sacked, BACKLOG);
	check_server(accepted);
	check_client(accepted_client);
	if (waiting_client >= 0) {
		check_server(must(accept(listener, NULL, NULL)));
		check_client(waiting_client);
	}
	late = call(&name);
	check_server(must(accept(listener, NULL, NULL)));
	check_client(late);
	return 0;
}
