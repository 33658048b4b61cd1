// SPDX-License-Identifier: GPL-2.0-only
/* A datagram that is held back until more is written keeps what it has, and where it goes to. */
#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT()

#define UDP_CORK 1 /* <netinet/udp.h> */
#define LONG	 9000

static char filler[LONG], got[LONG + 64];

struct corked {
	int sender, receiver;
	bool option; /* by UDP_CORK, else by MSG_MORE */
};

static struct corked build(const char *host, bool mapped, bool connected, bool option)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	bool is_v4 = !strchr(host, ':');
	struct sockaddr *address = is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	socklen_t size = is_v4 ? sizeof(v4) : sizeof(v6);
	struct corked c = { .option = option };
	int on = 1, off = 0;

	CHECK_EQUAL(inet_pton(address->sa_family, host, is_v4 ? (void *)&v4.sin_addr : &v6.sin6_addr), 1);
	c.receiver = must(socket(address->sa_family, SOCK_DGRAM, 0));
	c.sender = must(socket(address->sa_family, SOCK_DGRAM, 0));
	if (mapped) {
		must(setsockopt(c.receiver, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)));
		must(setsockopt(c.sender, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)));
	}
	must(bind(c.receiver, address, size));
	must(getsockname(c.receiver, address, &size));
	if (connected)
		must(connect(c.sender, address, size));
	if (option)
		must(setsockopt(c.sender, IPPROTO_UDP, UDP_CORK, &on, sizeof(on)));
	must(sendto(c.sender, "first ", 6, option ? 0 : MSG_MORE, connected ? NULL : address, connected ? 0 : size));
	must(sendto(c.sender, filler, LONG, option ? 0 : MSG_MORE, connected ? NULL : address, connected ? 0 : size));
	return c;
}

static void check(const struct corked *c)
{
	int held = 0, off = 0;

	CHECK_EQUAL(ioctl(c->sender, SIOCOUTQ, &held), 0);
	CHECK(held >= LONG);
	CHECK(recv(c->receiver, got, sizeof(got), MSG_DONTWAIT) == -1 && errno == EAGAIN);
	CHECK_EQUAL(send(c->sender, " last", 5, 0), 5);
	if (c->option)
		CHECK_EQUAL(setsockopt(c->sender, IPPROTO_UDP, UDP_CORK, &off, sizeof(off)), 0);
	CHECK_EQUAL(recv(c->receiver, got, sizeof(got), 0), 6 + LONG + 5);
	CHECK(!memcmp(got, "first ", 6));
	CHECK(!memcmp(got + 6, filler, LONG));
	CHECK(!memcmp(got + 6 + LONG, " last", 5));
	CHECK(recv(c->receiver, got, sizeof(got), MSG_DONTWAIT) == -1 && errno == EAGAIN);
}

int main(void)
{
	struct corked all[7];

	for (int i = 0; i < LONG; i++)
		filler[i] = (char)(i * 7);
	all[0] = build("127.0.0.1", false, true, true);
	all[1] = build("127.0.0.1", false, false, true);
	all[2] = build("127.0.0.1", false, true, false);
	all[3] = build("::1", false, true, true);
	all[4] = build("::1", false, false, false);
	all[5] = build("::ffff:127.0.0.1", true, true, true);
	all[6] = build("::ffff:127.0.0.1", true, false, true);

	checkpoint();

	for (int i = 0; i < 7; i++)
		check(&all[i]);
	return 0;
}
