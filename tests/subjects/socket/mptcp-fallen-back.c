// SPDX-License-Identifier: GPL-2.0-only
/* Connections of Multipath TCP whose other end knows plain TCP only go on, as such: unread data, half closed, ended. */
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "subject.h"
#include "tools.h"

SUBJECT(.options = "--tcp-established")

#define LONG 200000

static char bytes[LONG], got[LONG];

struct couple {
	int client, server;
};

static struct couple build(void)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	socklen_t size = sizeof(address);
	int listener = must(socket(AF_INET6, SOCK_STREAM, 0));
	struct couple c = { .client = socket(AF_INET6, SOCK_STREAM, IPPROTO_MPTCP) };

	if (c.client < 0)
		skip("this kernel has no Multipath TCP");
	must(bind(listener, (struct sockaddr *)&address, size));
	must(listen(listener, 1));
	must(getsockname(listener, (struct sockaddr *)&address, &size));
	must(connect(c.client, (struct sockaddr *)&address, size));
	c.server = must(accept(listener, NULL, NULL));
	close(listener);
	return c;
}

static void await_state(int fd, uint8_t state)
{
	while (tcp_state(fd) != state)
		poll(NULL, 0, 1);
}

static void await_received(int fd, int wanted)
{
	int n = 0;

	while (must(ioctl(fd, SIOCINQ, &n)) == 0 && n < wanted)
		poll(NULL, 0, 1);
}

static void send_all(int fd, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t part = send(fd, bytes + done, n - done, 0);

		CHECK(part > 0);
		done += (size_t)part;
	}
}

static void read_all(int fd, size_t n)
{
	CHECK_EQUAL(recv(fd, got, n, MSG_WAITALL), n);
	CHECK(!memcmp(got, bytes, n));
}

/* Until neither end takes any more: most of it waits in the subflow, as the socket's own buffer is full. */
static size_t flood(int fd)
{
	size_t done = 0;

	for (ssize_t n; (n = send(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0;)
		done += (size_t)n;
	return done;
}

static void drain(int fd, size_t n)
{
	while (n) {
		ssize_t part = recv(fd, got, n < sizeof(got) ? n : sizeof(got), 0);

		CHECK(part > 0);
		n -= (size_t)part;
	}
}

static void check_talk(const struct couple *c)
{
	send_all(c->client, 1000);
	read_all(c->server, 1000);
	send_all(c->server, 1000);
	read_all(c->client, 1000);
}

int main(void)
{
	struct couple quiet = build(), unread = build(), half = build(), halved = build(), over = build(),
		      flooded = build();
	const int on = 1;
	size_t n_flooded;
	int value = 0;
	socklen_t size = sizeof(value);

	fill(bytes, sizeof(bytes), 1);
	must(setsockopt(quiet.client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
	check_talk(&quiet);
	send_all(unread.client, LONG / 4);
	send_all(unread.server, LONG / 4);
	await_received(unread.server, LONG / 4);
	await_received(unread.client, LONG / 4);
	send_all(half.server, 5);
	must(shutdown(half.client, SHUT_WR));
	await_state(half.client, TCP_FIN_WAIT2);
	await_received(half.client, 5);
	send_all(halved.server, 7);
	must(shutdown(halved.server, SHUT_WR));
	await_state(halved.client, TCP_CLOSE_WAIT);
	must(shutdown(over.server, SHUT_WR));
	await_state(over.client, TCP_CLOSE_WAIT);
	must(shutdown(over.client, SHUT_WR));
	await_state(over.client, TCP_CLOSE);
	n_flooded = flood(flooded.server);

	checkpoint();

	check_talk(&quiet);
	CHECK_EQUAL(getsockopt(quiet.client, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
	CHECK_EQUAL(value, 1);
	read_all(unread.server, LONG / 4);
	read_all(unread.client, LONG / 4);
	send_all(unread.client, LONG / 8);
	read_all(unread.server, LONG / 8);
	read_all(half.client, 5);
	CHECK_EQUAL(recv(half.server, got, 1, 0), 0);
	send_all(half.server, 9);
	read_all(half.client, 9);
	read_all(halved.client, 7);
	CHECK_EQUAL(recv(halved.client, got, 1, 0), 0);
	send_all(halved.client, 3);
	read_all(halved.server, 3);
	drain(flooded.client, n_flooded);
	check_talk(&flooded);
	CHECK_EQUAL(recv(over.client, got, 1, 0), 0);
	CHECK_EQUAL(recv(over.server, got, 1, 0), 0);
	return 0;
}
