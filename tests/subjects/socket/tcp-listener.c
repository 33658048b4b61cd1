// SPDX-License-Identifier: GPL-2.0-only
/* TCP sockets that listen, are bound or are fresh go on; several listeners share a port. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

static struct sockaddr_in name_of(int fd)
{
	struct sockaddr_in address = { 0 };
	socklen_t size = sizeof(address);

	must(getsockname(fd, (struct sockaddr *)&address, &size));
	return address;
}

static int bound(int port, bool shared)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				       .sin_port = port };
	int fd = must(socket(AF_INET, SOCK_STREAM, 0));

	set_socket_option(fd, SOL_SOCKET, SO_REUSEPORT, shared);
	must(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

static int use(int listener)
{
	struct sockaddr_in address = name_of(listener);
	int client = must(socket(AF_INET, SOCK_STREAM, 0));
	int server;

	must(connect(client, (struct sockaddr *)&address, sizeof(address)));
	server = must(accept(listener, NULL, NULL));
	CHECK_EQUAL(send(client, "x", 1, 0), 1);
	CHECK_EQUAL(recv(server, &address, 1, 0), 1);
	close(client);
	close(server);
	return 0;
}

int main(void)
{
	int listener = bound(0, false), first = bound(0, true), second = bound(name_of(first).sin_port, true);
	int named = bound(0, false), fresh = must(socket(AF_INET6, SOCK_STREAM, 0));
	struct sockaddr_in listener_name = name_of(listener), named_name = name_of(named), first_name = name_of(first),
			   now;

	must(listen(listener, 7));
	must(listen(first, 3));
	must(listen(second, 3));
	set_socket_option(listener, IPPROTO_TCP, TCP_NODELAY, 1);
	set_socket_option(listener, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_socket_option(listener, IPPROTO_TCP, TCP_KEEPIDLE, 42);
	set_socket_option(fresh, SOL_SOCKET, SO_RCVBUF, 40000);
	use(listener);

	checkpoint();

	now = name_of(listener);
	CHECK(!memcmp(&now, &listener_name, sizeof(now)));
	now = name_of(named);
	CHECK(!memcmp(&now, &named_name, sizeof(now)));
	now = name_of(first);
	CHECK(!memcmp(&now, &first_name, sizeof(now)));
	now = name_of(second);
	CHECK(!memcmp(&now, &first_name, sizeof(now)));
	use(listener);
	CHECK_EQUAL(socket_option(listener, IPPROTO_TCP, TCP_NODELAY), 1);
	CHECK_EQUAL(socket_option(listener, SOL_SOCKET, SO_KEEPALIVE), 1);
	CHECK_EQUAL(socket_option(listener, IPPROTO_TCP, TCP_KEEPIDLE), 42);
	CHECK_EQUAL(socket_option(listener, SOL_SOCKET, SO_REUSEADDR), 0);
	CHECK_EQUAL(socket_option(second, SOL_SOCKET, SO_REUSEPORT), 1);
	CHECK_EQUAL(socket_option(fresh, SOL_SOCKET, SO_RCVBUF), 80000);
	must(listen(named, 5));
	use(named);
	return 0;
}
