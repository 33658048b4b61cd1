// SPDX-License-Identifier: GPL-2.0-only
/* Connections that wait for accept(2) keep their order, their names and what was shut. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "subject.h"

SUBJECT()

static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET };

static socklen_t name(struct sockaddr_un *address, const char *prefix, int type, int number)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	return offsetof(struct sockaddr_un, sun_path) + 1 +
	       (size_t)sprintf(address->sun_path + 1, "%s %d %d", prefix, type, number);
}

struct backlog {
	int listener, clients[5];
};

/* The order of connecting is not that of the descriptors. */
static const int order[] = { 3, 1, 4, 0, 2 };

static void build(struct backlog *b, int type)
{
	struct sockaddr_un server, own;
	socklen_t size = name(&server, "server", type, 0);

	b->listener = must(socket(AF_UNIX, type, 0));
	must(bind(b->listener, (struct sockaddr *)&server, size));
	must(listen(b->listener, 4));
	for (int i = 0; i < 5; i++)
		b->clients[i] = must(socket(AF_UNIX, type, 0));
	for (int n = 0; n < 5; n++) {
		int i = order[n];
		socklen_t own_size = name(&own, "client", type, i);

		must(bind(b->clients[i], (struct sockaddr *)&own, own_size));
		must(connect(b->clients[i], (struct sockaddr *)&server, size));
	}
	must(shutdown(b->clients[3], SHUT_WR));
}

static void check(struct backlog *b, int type)
{
	struct sockaddr_un wanted, got;
	char byte;

	CHECK(fcntl(b->listener, F_SETFL, O_NONBLOCK) == 0);
	for (int n = 0; n < 5; n++) {
		int i = order[n];
		socklen_t length = name(&wanted, "client", type, i), size = sizeof(got);
		int fd = accept(b->listener, (struct sockaddr *)&got, &size);

		CHECK(fd >= 0);
		CHECK(size == length && !memcmp(&got, &wanted, size));
		if (i == 3)
			CHECK_EQUAL(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
		else
			CHECK(recv(fd, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
		CHECK_EQUAL(send(fd, "r", 1, 0), 1);
		CHECK_EQUAL(recv(b->clients[i], &byte, 1, MSG_DONTWAIT), 1);
	}
	CHECK(accept(b->listener, NULL, NULL) == -1 && errno == EAGAIN);
}

int main(void)
{
	struct backlog backlogs[2];

	for (int i = 0; i < 2; i++)
		build(&backlogs[i], types[i]);

	checkpoint();

	for (int i = 0; i < 2; i++)
		check(&backlogs[i], types[i]);
	return 0;
}
