// SPDX-License-Identifier: GPL-2.0-only
/* What came over a connection that has ended, by both sides or by a reset, can still be read. */
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "subject.h"
#include "tools.h"

SUBJECT(.options = "--tcp-established")

#define MUCH 100000

enum way { CLIENT_FIRST, SERVER_FIRST, RESET, N_WAYS };

static char bytes[MUCH], got[MUCH];

static void wait_for_end(int fd)
{
	while (tcp_state(fd) != TCP_CLOSE)
		usleep(1000);
}

/* The server's end, with `size` bytes that wait in it. */
static int make(int listener, const struct sockaddr_in *name, enum way way, size_t size)
{
	const struct linger now = { .l_onoff = 1 };
	int client = must(socket(AF_INET, SOCK_STREAM, 0)), server;

	must(connect(client, (const struct sockaddr *)name, sizeof(*name)));
	server = must(accept(listener, NULL, NULL));
	CHECK_EQUAL(send(client, bytes, size, 0), (ssize_t)size);
	while (recv(server, got, size, MSG_PEEK) < (ssize_t)size)
		usleep(1000);
	if (way == RESET) {
		must(setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	} else {
		must(shutdown(way == CLIENT_FIRST ? client : server, SHUT_WR));
		must(shutdown(way == CLIENT_FIRST ? server : client, SHUT_WR));
	}
	must(close(client));
	wait_for_end(server);
	return server;
}

int main(void)
{
	struct sockaddr_in name = { AF_INET, 0, { htonl(INADDR_LOOPBACK) }, { 0 } };
	socklen_t size = sizeof(name);
	int listener = must(socket(AF_INET, SOCK_STREAM, 0)), few[N_WAYS], many[N_WAYS];

	must(bind(listener, (struct sockaddr *)&name, sizeof(name)));
	must(listen(listener, 5));
	must(getsockname(listener, (struct sockaddr *)&name, &size));
	for (size_t i = 0; i < MUCH; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	for (enum way way = 0; way < N_WAYS; way++) {
		few[way] = make(listener, &name, way, 1);
		many[way] = make(listener, &name, way, MUCH);
	}

	checkpoint();

	for (enum way way = 0; way < N_WAYS; way++) {
		CHECK_EQUAL(recv(few[way], got, MUCH, MSG_DONTWAIT), 1);
		CHECK(got[0] == bytes[0]);
		CHECK(recv(few[way], got, MUCH, MSG_DONTWAIT) <= 0);
		CHECK_EQUAL(recv(many[way], got, MUCH, MSG_WAITALL), MUCH);
		CHECK(!memcmp(got, bytes, MUCH));
		CHECK(recv(many[way], got, MUCH, MSG_DONTWAIT) <= 0);
	}
	return 0;
}
