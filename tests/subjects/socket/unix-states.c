// SPDX-License-Identifier: GPL-2.0-only
/* Unix sockets of all types keep being shut in one direction or both, closed on the other side, bound, unconnected or
 * disconnected. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

struct states {
	int write_shut[2], read_shut[2], both_shut[2], closed, unconnected, bound, disconnected;
};

static socklen_t name(struct sockaddr_un *address, int type)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	return offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)sprintf(address->sun_path + 1, "bound %d", type);
}

static void check_shut(int fd)
{
	CHECK(send(fd, "x", 1, MSG_NOSIGNAL) == -1);
	CHECK_EQUAL(errno, EPIPE);
}

static void build(struct states *s, int type)
{
	struct sockaddr_un address;
	socklen_t size = name(&address, type);
	int pair[2];

	must(socketpair(AF_UNIX, type, 0, s->write_shut));
	send_text(s->write_shut[0], "before");
	must(shutdown(s->write_shut[0], SHUT_WR));
	must(socketpair(AF_UNIX, type, 0, s->read_shut));
	send_text(s->read_shut[1], "unread");
	must(shutdown(s->read_shut[0], SHUT_RD));
	must(socketpair(AF_UNIX, type, 0, s->both_shut));
	send_text(s->both_shut[1], "last");
	must(shutdown(s->both_shut[0], SHUT_RDWR));
	must(socketpair(AF_UNIX, type, 0, pair));
	send_text(pair[1], "testament");
	must(close(pair[1]));
	s->closed = pair[0];
	s->unconnected = must(socket(AF_UNIX, type, 0));
	s->bound = must(socket(AF_UNIX, type, 0));
	must(bind(s->bound, (struct sockaddr *)&address, size));
	if (type != SOCK_DGRAM)
		return;
	s->disconnected = must(socket(AF_UNIX, type, 0));
	must(connect(s->disconnected, (struct sockaddr *)&address, size));
	address.sun_family = AF_UNSPEC;
	must(connect(s->disconnected, (struct sockaddr *)&address, sizeof(address)));
}

static void check_bound(struct states *s, int type)
{
	struct sockaddr_un wanted, got = { 0 };
	socklen_t length = name(&wanted, type), size = sizeof(got);
	int client = must(socket(AF_UNIX, type, 0));

	CHECK(!getsockname(s->bound, (struct sockaddr *)&got, &size));
	CHECK(size == length && !memcmp(&got, &wanted, size));
	CHECK(send(s->unconnected, "x", 1, MSG_NOSIGNAL) == -1 && errno == ENOTCONN);
	if (type != SOCK_DGRAM) {
		CHECK(connect(client, (struct sockaddr *)&wanted, length) == -1 && errno == ECONNREFUSED);
		CHECK(!listen(s->bound, 1));
	} else {
		CHECK(send(s->disconnected, "x", 1, MSG_NOSIGNAL) == -1 && errno == ENOTCONN);
	}
	CHECK(!connect(client, (struct sockaddr *)&wanted, length));
	CHECK(!close(client));
}

static void check(struct states *s, int type)
{
	char byte;

	receive_text(s->write_shut[1], "before");
	if (type != SOCK_DGRAM)
		CHECK_EQUAL(recv(s->write_shut[1], &byte, 1, MSG_DONTWAIT), 0);
	check_shut(s->write_shut[0]);
	send_text(s->write_shut[1], "answer");
	receive_text(s->write_shut[0], "answer");

	receive_text(s->read_shut[0], "unread");
	CHECK_EQUAL(recv(s->read_shut[0], &byte, 1, 0), 0);
	send_text(s->read_shut[0], "still");
	receive_text(s->read_shut[1], "still");
	check_shut(s->read_shut[1]);

	receive_text(s->both_shut[0], "last");
	CHECK_EQUAL(recv(s->both_shut[0], &byte, 1, 0), 0);
	check_shut(s->both_shut[0]);

	receive_text(s->closed, "testament");
	CHECK(send(s->closed, "x", 1, MSG_NOSIGNAL) == -1 && errno == (type == SOCK_DGRAM ? ECONNREFUSED : EPIPE));
	check_bound(s, type);
}

int main(void)
{
	struct states states[3];

	for (int i = 0; i < 3; i++)
		build(&states[i], types[i]);

	checkpoint();

	for (int i = 0; i < 3; i++)
		check(&states[i], types[i]);
	return 0;
}
