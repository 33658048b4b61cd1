// SPDX-License-Identifier: GPL-2.0-only
/* Options that the kernel lets set and tells nobody show in what a socket does: SO_INQ, IPV6_MTU. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "subject.h"

SUBJECT(.not_ways = "older")

#ifndef SO_INQ
#define SO_INQ 84
#endif

#define MTU 1280

static char bytes[4000];

/* The number that comes along with a message, -1: none does. */
static int number_with(int fd, int level, int type)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(64)];
	} control;
	struct iovec part = { bytes, sizeof(bytes) };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	int number = -1;

	CHECK(recvmsg(fd, &message, 0) > 0);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
		if (c->cmsg_level == level && c->cmsg_type == type)
			memcpy(&number, CMSG_DATA(c), sizeof(number));
	return number;
}

/* One that never fragments: it refuses what is larger than its own limit. */
static int bound(void)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = must(socket(AF_INET6, SOCK_DGRAM, 0));
	const int on = 1;

	must(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	must(setsockopt(fd, IPPROTO_IPV6, IPV6_DONTFRAG, &on, sizeof(on)));
	return fd;
}

int main(void)
{
	struct sockaddr_in6 to;
	socklen_t size = sizeof(to);
	int pair[2], receiver = bound(), sender = bound(), plain = bound();
	const int on = 1, mtu = MTU;
	bool has_inq;

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	has_inq = !setsockopt(pair[1], SOL_SOCKET, SO_INQ, &on, sizeof(on)); /* Linux 6.17 */
	must(setsockopt(sender, IPPROTO_IPV6, IPV6_MTU, &mtu, sizeof(mtu)));
	must(getsockname(receiver, (struct sockaddr *)&to, &size));

	checkpoint();

	CHECK_EQUAL(send(pair[0], "hello", 5, 0), 5);
	CHECK_EQUAL(number_with(pair[1], SOL_SOCKET, SO_INQ), has_inq ? 0 : -1);
	CHECK_EQUAL(sendto(plain, bytes, 3000, 0, (struct sockaddr *)&to, sizeof(to)), 3000);
	CHECK_EQUAL(sendto(sender, bytes, 1000, 0, (struct sockaddr *)&to, sizeof(to)), 1000);
	CHECK(sendto(sender, bytes, 3000, 0, (struct sockaddr *)&to, sizeof(to)) < 0 && errno == EMSGSIZE);
	return 0;
}
