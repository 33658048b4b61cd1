// SPDX-License-Identifier: GPL-2.0-only
/* What is sent into a connection before it is accepted arrives, with its boundaries, also from a client that is gone by
 * then. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "subject.h"
#include "tools.h"

/* A dump that leaves the tasks running cannot look inside: see unix-early-refused. */
SUBJECT(.not_ways = "unharmed left")

static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET };
static uint8_t big[60000], got[60000];

struct server {
	struct sockaddr_un address;
	socklen_t size;
	int listener, talker, silent, large, half;
};

static int connect_to(const struct server *s, int type)
{
	int fd = must(socket(AF_UNIX, type, 0));

	must(connect(fd, (const struct sockaddr *)&s->address, s->size));
	return fd;
}

static void build(struct server *s, int type)
{
	int accepted, gone;

	memset(s, 0, sizeof(*s));
	s->address.sun_family = AF_UNIX;
	s->size = offsetof(struct sockaddr_un, sun_path) + (size_t)sprintf(s->address.sun_path, "server%d", type) + 1;
	s->listener = must(socket(AF_UNIX, type, 0));
	must(bind(s->listener, (struct sockaddr *)&s->address, s->size));
	must(listen(s->listener, 10));
	accepted = connect_to(s, type);
	must(accept(s->listener, NULL, NULL));
	must(close(accepted));
	s->talker = connect_to(s, type);
	send_text(s->talker, "hello");
	send_text(s->talker, "world");
	gone = connect_to(s, type);
	send_text(gone, "testament");
	must(close(gone));
	s->silent = connect_to(s, type);
	s->large = connect_to(s, type);
	CHECK_EQUAL(send(s->large, big, sizeof(big), 0), sizeof(big));
	s->half = connect_to(s, type);
	send_text(s->half, "half");
	must(shutdown(s->half, SHUT_WR));
}

static int next(struct server *s)
{
	int fd = accept(s->listener, NULL, NULL);

	CHECK(fd >= 0);
	return fd;
}

static void check(struct server *s, int type)
{
	int fd = next(s);
	char byte;

	if (type == SOCK_STREAM) {
		receive_text(fd, "helloworld");
	} else {
		receive_text(fd, "hello");
		receive_text(fd, "world");
	}
	CHECK(recv(fd, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
	send_text(s->talker, "more");
	receive_text(fd, "more");
	send_text(fd, "answer");
	receive_text(s->talker, "answer");
	fd = next(s);
	receive_text(fd, "testament");
	CHECK_EQUAL(recv(fd, &byte, 1, 0), 0);
	fd = next(s);
	CHECK(recv(fd, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
	fd = next(s);
	CHECK_EQUAL(recv(fd, got, sizeof(got), MSG_DONTWAIT | MSG_WAITALL), sizeof(got));
	check_filled(got, sizeof(got), 7);
	fd = next(s);
	receive_text(fd, "half");
	CHECK_EQUAL(recv(fd, &byte, 1, 0), 0);
	CHECK(fcntl(s->listener, F_SETFL, O_NONBLOCK) == 0);
	CHECK(accept(s->listener, NULL, NULL) == -1 && errno == EAGAIN);
	CHECK(!unlink(s->address.sun_path));
}

int main(void)
{
	struct server servers[2];

	fill(big, sizeof(big), 7);
	for (int i = 0; i < 2; i++)
		build(&servers[i], types[i]);

	checkpoint();

	for (int i = 0; i < 2; i++)
		check(&servers[i], types[i]);
	return 0;
}
