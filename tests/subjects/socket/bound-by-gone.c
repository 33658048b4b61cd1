// SPDX-License-Identifier: GPL-2.0-only
/* Sockets whose options would not let them bind any more: SO_REUSEPORT and IP_FREEBIND were switched off since. */
#include <arpa/inet.h>
#include <poll.h>

#include "subject.h"

SUBJECT()

#define N 3

static int get(int fd, int level, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);

	must(getsockopt(fd, level, option, &value, &size));
	return value;
}

static void set(int fd, int level, int option, int value)
{
	must(setsockopt(fd, level, option, &value, sizeof(value)));
}

/* Sockets of one port; those of the bits `off` have given up the option. */
static void share(int *fds, int type, struct sockaddr_in *name, unsigned off)
{
	socklen_t size = sizeof(*name);

	for (int i = 0; i < N; i++) {
		fds[i] = must(socket(AF_INET, type, 0));
		set(fds[i], SOL_SOCKET, SO_REUSEPORT, 1);
		must(bind(fds[i], (struct sockaddr *)name, sizeof(*name)));
		if (type == SOCK_STREAM)
			must(listen(fds[i], 16));
		must(getsockname(fds[i], (struct sockaddr *)name, &size));
	}
	for (int i = 0; i < N; i++)
		if (off >> i & 1)
			set(fds[i], SOL_SOCKET, SO_REUSEPORT, 0);
}

static void check_shared(const int *fds, const struct sockaddr_in *name, unsigned off)
{
	for (int i = 0; i < N; i++) {
		struct sockaddr_in now;
		socklen_t size = sizeof(now);

		CHECK_EQUAL(get(fds[i], SOL_SOCKET, SO_REUSEPORT), !(off >> i & 1));
		CHECK_EQUAL(getsockname(fds[i], (struct sockaddr *)&now, &size), 0);
		CHECK_EQUAL(now.sin_port, name->sin_port);
	}
}

/* Who of them gets a connection is the kernel's choice. */
static void check_accept(const int *fds, const struct sockaddr_in *name)
{
	int client = socket(AF_INET, SOCK_STREAM, 0), n = 0;
	struct pollfd polls[N];

	CHECK_EQUAL(connect(client, (const struct sockaddr *)name, sizeof(*name)), 0);
	for (int i = 0; i < N; i++)
		polls[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	CHECK_EQUAL(poll(polls, N, -1), 1);
	for (int i = 0; i < N; i++)
		n += polls[i].revents && accept(fds[i], NULL, NULL) >= 0;
	CHECK_EQUAL(n, 1);
	close(client);
}

/* To an address that no device has. */
static int bind_foreign(int family, int type, const void *name, socklen_t size)
{
	int fd = must(socket(family, type, 0)), level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	int option = family == AF_INET ? IP_FREEBIND : IPV6_FREEBIND;

	set(fd, level, option, 1);
	must(bind(fd, name, size));
	set(fd, level, option, 0);
	return fd;
}

int main(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET }, listeners = any, all_off = any, datagrams = any, now;
	struct sockaddr_in four = { .sin_family = AF_INET,
				    .sin_port = htons(4711),
				    .sin_addr.s_addr = htonl(0xc6336401) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(4712) };
	socklen_t size = sizeof(now);
	int tcp[N], off[N], udp[N], foreign[3];

	must(inet_pton(AF_INET6, "2001:db8::77", &six.sin6_addr) == 1 ? 0 : -1);
	share(tcp, SOCK_STREAM, &listeners, 5);
	share(off, SOCK_STREAM, &all_off, 7);
	share(udp, SOCK_DGRAM, &datagrams, 1);
	foreign[0] = bind_foreign(AF_INET, SOCK_DGRAM, &four, sizeof(four));
	foreign[1] = bind_foreign(AF_INET6, SOCK_DGRAM, &six, sizeof(six));
	foreign[2] = bind_foreign(AF_INET, SOCK_STREAM, &four, sizeof(four));
	must(listen(foreign[2], 1));

	checkpoint();

	check_shared(tcp, &listeners, 5);
	check_shared(off, &all_off, 7);
	check_shared(udp, &datagrams, 1);
	check_accept(tcp, &listeners);
	check_accept(off, &all_off);
	CHECK_EQUAL(get(foreign[0], IPPROTO_IP, IP_FREEBIND), 0);
	CHECK_EQUAL(get(foreign[1], IPPROTO_IPV6, IPV6_FREEBIND), 0);
	CHECK_EQUAL(getsockname(foreign[2], (struct sockaddr *)&now, &size), 0);
	CHECK_EQUAL(now.sin_addr.s_addr, four.sin_addr.s_addr);
	return 0;
}
