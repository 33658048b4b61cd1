// SPDX-License-Identifier: GPL-2.0-only
/* Datagrams that were not read: content, order, where they came from and what they were sent to. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT()

#define LONG 60000

static char filler[LONG], got[LONG + 64];

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static union address address(const char *host, int port)
{
	union address a = { .v6.sin6_port = htons((uint16_t)port) };

	a.any.sa_family = strchr(host, ':') ? AF_INET6 : AF_INET;
	CHECK_EQUAL(inet_pton(a.any.sa_family, host,
			      a.any.sa_family == AF_INET ? (void *)&a.v4.sin_addr : &a.v6.sin6_addr),
		    1);
	return a;
}

static int bound(const char *host, union address *ret)
{
	socklen_t size = sizeof(*ret);
	int fd;

	*ret = address(host, 0);
	fd = must(socket(ret->any.sa_family, SOCK_DGRAM, 0));
	if (ret->any.sa_family == AF_INET6 && !strncmp(host, "::", 2) && strcmp(host, "::1") != 0)
		must(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 0 }, sizeof(int)));
	if (!strcmp(host, "127.0.0.2")) /* alone in its group */
		must(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){ 1 }, sizeof(int)));
	must(bind(fd, &ret->any, size));
	must(getsockname(fd, &ret->any, &size));
	return fd;
}

static void give(int from, const char *host, const union address *to, const void *data, size_t size)
{
	union address a = address(host, ntohs(to->v4.sin_port));

	CHECK_EQUAL(sendto(from, data, size, 0, &a.any, sizeof(a)), size);
}

/* The destination, if the socket asks for it. */
static const void *take(int fd, const union address *from, const void *data, size_t size)
{
	static char control[256];
	struct iovec iov = { got, sizeof(got) };
	union address name = { 0 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_name = &name,
				  .msg_namelen = sizeof(name),
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };

	CHECK_EQUAL(recvmsg(fd, &message, MSG_DONTWAIT), size);
	CHECK(!memcmp(got, data, size));
	CHECK_EQUAL(name.v4.sin_port, from->v4.sin_port);
	CHECK_EQUAL(name.any.sa_family, from->any.sa_family);
	CHECK(from->any.sa_family == AF_INET ? name.v4.sin_addr.s_addr == from->v4.sin_addr.s_addr
					     : !memcmp(&name.v6.sin6_addr, &from->v6.sin6_addr, 16));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL)
			CHECK_EQUAL(*(int *)CMSG_DATA(c), 33);
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			CHECK_EQUAL(((struct in_pktinfo *)CMSG_DATA(c))->ipi_ifindex, 1);
			return &((struct in_pktinfo *)CMSG_DATA(c))->ipi_addr;
		}
	}
	return NULL;
}

static void check_empty(int fd)
{
	CHECK(recv(fd, got, sizeof(got), MSG_DONTWAIT) == -1 && errno == EAGAIN);
}

static int is_option(int fd, int level, int option)
{
	int value = -2;
	socklen_t size = sizeof(value);

	must(getsockopt(fd, level, option, &value, &size));
	return value;
}

static union address a, b, c, specific, any, silent, six, dual, connected;
static int from_a, from_b, from_c, at_specific, at_any, at_silent, at_six, at_dual, at_connected;

static void build(void)
{
	const int ttl = 33, on = 1;

	from_a = bound("127.0.0.1", &a);
	from_b = bound("127.0.0.7", &b);
	from_c = bound("::1", &c);
	at_specific = bound("127.0.0.2", &specific);
	at_any = bound("0.0.0.0", &any);
	at_silent = bound("0.0.0.0", &silent);
	at_six = bound("::1", &six);
	at_dual = bound("::", &dual);
	at_connected = bound("127.0.0.1", &connected);
	for (int i = 0; i < LONG; i++)
		filler[i] = (char)(i * 7);
	must(setsockopt(from_b, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)));
	must(setsockopt(at_any, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)));
	must(setsockopt(at_any, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on)));
}

static void give_all(void)
{
	give(from_a, "127.0.0.2", &specific, "first", 5);
	give(from_b, "127.0.0.2", &specific, "", 0);
	give(from_b, "127.0.0.2", &specific, filler, LONG);
	give(from_a, "127.0.0.2", &specific, "odd", 3);
	give(from_a, "127.0.0.2", &specific, "", 0);

	give(from_b, "127.0.0.5", &any, "to five", 7);
	give(from_b, "127.0.0.6", &any, "to six", 6);
	give(from_b, "127.0.0.1", &silent, "to any", 6); /* nobody asks for what it was sent to */

	give(from_c, "::1", &six, "by IPv6", 7);
	give(from_c, "::1", &six, filler, 30001);

	give(from_c, "::1", &dual, "new", 3);
	give(from_b, "127.0.0.1", &dual, "old", 3);

	/* Another one than the peer, from before it was connected. */
	give(from_b, "127.0.0.1", &connected, "stranger", 8);
	must(connect(at_connected, &a.any, sizeof(a)));
	give(from_a, "127.0.0.1", &connected, "peer", 4);
}

static void take_all(void)
{
	union address mapped = address("::ffff:127.0.0.7", ntohs(b.v4.sin_port));

	take(at_specific, &a, "first", 5);
	take(at_specific, &b, "", 0);
	take(at_specific, &b, filler, LONG);
	take(at_specific, &a, "odd", 3);
	take(at_specific, &a, "", 0);

	CHECK_EQUAL(*(const uint32_t *)take(at_any, &b, "to five", 7), htonl(0x7f000005));
	CHECK_EQUAL(*(const uint32_t *)take(at_any, &b, "to six", 6), htonl(0x7f000006));
	take(at_silent, &b, "to any", 6);

	take(at_six, &c, "by IPv6", 7);
	take(at_six, &c, filler, 30001);

	take(at_dual, &c, "new", 3);
	take(at_dual, &mapped, "old", 3);

	take(at_connected, &b, "stranger", 8);
	take(at_connected, &a, "peer", 4);
}

int main(void)
{
	build();
	give_all();

	checkpoint();

	CHECK_EQUAL(is_option(at_specific, SOL_SOCKET, SO_PEEK_OFF), -1);
	CHECK_EQUAL(is_option(at_dual, IPPROTO_IPV6, IPV6_RECVPKTINFO), 0);
	CHECK_EQUAL(is_option(at_silent, IPPROTO_IP, IP_PKTINFO), 0);
	CHECK_EQUAL(is_option(at_any, IPPROTO_IP, IP_PKTINFO), 1);
	take_all();
	check_empty(at_specific);
	check_empty(at_any);
	check_empty(at_silent);
	check_empty(at_six);
	check_empty(at_dual);
	check_empty(at_connected);

	CHECK_EQUAL(send(at_connected, "hello", 5, 0), 5);
	take(from_a, &connected, "hello", 5);
	return 0;
}
