// SPDX-License-Identifier: GPL-2.0-only
/* TCP connections with both ends in the tree go on: unread data, data under way, IPv4, IPv6 and v4-mapped, half closed.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT(.options = "--tcp-established")

struct couple {
	int listener, client, server;
	size_t written;
};

static char chunk[65536];

static struct couple build(const char *host, bool fill_it)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
	socklen_t size = sizeof(address);
	struct couple c = { .listener = must(socket(AF_INET6, SOCK_STREAM, 0)) };
	int off = 0;

	must(setsockopt(c.listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)));
	CHECK_EQUAL(inet_pton(AF_INET6, host, &address.sin6_addr), 1);
	must(bind(c.listener, (struct sockaddr *)&address, sizeof(address)));
	must(listen(c.listener, 1));
	must(getsockname(c.listener, (struct sockaddr *)&address, &size));
	c.client = must(socket(AF_INET6, SOCK_STREAM, 0));
	must(connect(c.client, (struct sockaddr *)&address, sizeof(address)));
	c.server = must(accept(c.listener, NULL, NULL));
	must(send(c.client, "question", 8, 0));
	must(send(c.server, "answer", 6, 0));
	for (ssize_t n; fill_it && (n = send(c.client, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0;)
		c.written += (size_t)n;
	return c;
}

static void check(const struct couple *c)
{
	char text[16];
	size_t read = 0;

	CHECK_EQUAL(recv(c->server, text, 8, MSG_WAITALL), 8);
	CHECK(!memcmp(text, "question", 8));
	CHECK_EQUAL(recv(c->client, text, 6, MSG_WAITALL), 6);
	CHECK(!memcmp(text, "answer", 6));
	while (read < c->written) {
		ssize_t n = recv(c->server, chunk, sizeof(chunk), 0);

		CHECK(n > 0);
		read += (size_t)n;
	}
	CHECK_EQUAL(read, c->written);
	CHECK_EQUAL(send(c->client, "more", 4, 0), 4);
	CHECK_EQUAL(recv(c->server, text, 4, MSG_WAITALL), 4);
	CHECK_EQUAL(send(c->server, "end", 3, 0), 3);
	CHECK_EQUAL(recv(c->client, text, 3, MSG_WAITALL), 3);
	CHECK_EQUAL(shutdown(c->server, SHUT_WR), 0);
	CHECK_EQUAL(recv(c->client, text, 1, 0), 0);
}

int main(void)
{
	struct couple couples[] = { build("::ffff:127.0.0.1", false), build("::1", false), build("::1", true) };
	struct couple half = build("::1", false);
	struct tcp_info info;
	socklen_t size = sizeof(info);
	char text[16];
	int on = 1;

	must(setsockopt(couples[0].client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
	must(shutdown(half.client, SHUT_WR));
	do {
		sleep_ms(1);
		must(getsockopt(half.client, IPPROTO_TCP, TCP_INFO, &info, &size));
	} while (info.tcpi_state != TCP_FIN_WAIT2);

	checkpoint();

	for (int i = 0; i < 3; i++)
		check(&couples[i]);
	size = sizeof(on);
	on = 0;
	must(getsockopt(couples[0].client, IPPROTO_TCP, TCP_NODELAY, &on, &size));
	CHECK_EQUAL(on, 1);
	size = sizeof(info);
	must(getsockopt(half.client, IPPROTO_TCP, TCP_INFO, &info, &size));
	CHECK_EQUAL(info.tcpi_state, TCP_FIN_WAIT2);
	CHECK_EQUAL(recv(half.server, text, 8, MSG_WAITALL), 8);
	CHECK_EQUAL(recv(half.server, text, 1, 0), 0);
	CHECK_EQUAL(send(half.server, "bye", 3, 0), 3);
	CHECK_EQUAL(recv(half.client, text, 9, MSG_WAITALL), 9);
	CHECK(!memcmp(text, "answerbye", 9));
	return 0;
}
