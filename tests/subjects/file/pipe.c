// SPDX-License-Identifier: GPL-2.0-only
/* Pipes keep what is in them, their size, packets and flags; a pipe with one end only keeps its end. */
#include "subject.h"

SUBJECT()

int main(void)
{
	int full[2], empty[2], packets[2], orphan[2], shut[2];
	uint8_t data[50000];
	char text[16];

	must(pipe(full));
	must(fcntl(full[1], F_SETPIPE_SZ, 1 << 18));
	fill(data, sizeof(data), 1);
	CHECK_EQUAL(write(full[1], data, sizeof(data)), sizeof(data));

	must(pipe2(empty, O_NONBLOCK | O_CLOEXEC));

	must(pipe2(packets, O_DIRECT));
	CHECK_EQUAL(write(packets[1], "one", 3), 3);
	CHECK_EQUAL(write(packets[1], "three", 5), 5);

	must(pipe(orphan));
	CHECK_EQUAL(write(orphan[1], "left", 4), 4);
	must(close(orphan[1]));

	must(pipe(shut));
	must(close(shut[0]));
	signal(SIGPIPE, SIG_IGN);

	checkpoint();

	memset(data, 0, sizeof(data));
	CHECK_EQUAL(fcntl(full[0], F_GETPIPE_SZ), 1 << 18);
	for (size_t got = 0; got < sizeof(data);) {
		ssize_t n = read(full[0], data + got, sizeof(data) - got);

		CHECK(n > 0);
		got += (size_t)n;
	}
	check_filled(data, sizeof(data), 1);
	/* And it is one pipe still. */
	CHECK_EQUAL(write(full[1], "x", 1), 1);
	CHECK_EQUAL(read(full[0], text, 2), 1);

	CHECK(read(empty[0], text, 1) == -1 && errno == EAGAIN);
	CHECK_EQUAL(fcntl(empty[0], F_GETFD), FD_CLOEXEC);
	CHECK_EQUAL(read(packets[0], text, sizeof(text)), 3);
	CHECK_EQUAL(read(packets[0], text, sizeof(text)), 5);
	CHECK(!memcmp(text, "three", 5));
	CHECK_EQUAL(read(orphan[0], text, sizeof(text)), 4);
	CHECK(!memcmp(text, "left", 4));
	CHECK_EQUAL(read(orphan[0], text, sizeof(text)), 0);
	CHECK(write(shut[1], "x", 1) == -1 && errno == EPIPE);
	return 0;
}
