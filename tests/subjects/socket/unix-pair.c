// SPDX-License-Identifier: GPL-2.0-only
/* Pairs of unix sockets keep what is unread in both directions, where messages begin and end, and which ends are shut
 * or closed. */
#include <sys/socket.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

static uint8_t data[100000], got[100000];

static void build(int type, int *pair)
{
	must(socketpair(AF_UNIX, type, 0, pair));
	send_text(pair[0], "one");
	CHECK_EQUAL(send(pair[0], "", 0, 0), 0);
	send_text(pair[0], "three");
	send_text(pair[1], "back");
}

static void check(int type, const int *pair)
{
	if (type == SOCK_STREAM) {
		receive_text(pair[1], "onethree");
	} else {
		char byte;

		receive_text(pair[1], "one");
		CHECK_EQUAL(recv(pair[1], &byte, 1, MSG_DONTWAIT), 0);
		receive_text(pair[1], "three");
	}
	receive_text(pair[0], "back");
	CHECK(recv(pair[0], got, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
	send_text(pair[0], "again");
	receive_text(pair[1], "again");
	send_text(pair[1], "and back");
	receive_text(pair[0], "and back");
}

int main(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	int pairs[3][2], big[2], half[2], closed[2], closed_datagram[2];

	for (int i = 0; i < 3; i++)
		build(types[i], pairs[i]);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, big));
	fill(data, sizeof(data), 3);
	CHECK_EQUAL(write(big[0], data, sizeof(data)), sizeof(data));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, half));
	send_text(half[0], "last words");
	must(shutdown(half[0], SHUT_WR));
	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, closed));
	send_text(closed[1], "testament");
	must(close(closed[1]));
	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, closed_datagram));
	send_text(closed_datagram[1], "letter");
	must(close(closed_datagram[1]));

	checkpoint();

	for (int i = 0; i < 3; i++)
		check(types[i], pairs[i]);
	CHECK(fcntl(big[1], F_GETFL) & O_NONBLOCK);
	for (size_t n = 0; n < sizeof(got);) {
		ssize_t part = read(big[1], got + n, sizeof(got) - n);

		CHECK(part > 0);
		n += (size_t)part;
	}
	check_filled(got, sizeof(got), 3);
	receive_text(half[1], "last words");
	CHECK_EQUAL(recv(half[1], got, 1, 0), 0);
	send_text(half[1], "answer");
	receive_text(half[0], "answer");
	CHECK(send(half[0], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
	receive_text(closed[0], "testament");
	CHECK_EQUAL(recv(closed[0], got, 1, 0), 0);
	CHECK(send(closed[0], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
	receive_text(closed_datagram[0], "letter");
	CHECK(send(closed_datagram[0], "x", 1, MSG_NOSIGNAL) == -1 && errno == ECONNREFUSED);
	return 0;
}
