// SPDX-License-Identifier: GPL-2.0-only
/* Packets in pipes (O_DIRECT): one alone, one in front of a stream, as many as fit. */
#include "subject.h"

SUBJECT()

static char text[100];

int main(void)
{
	int alone[2], mixed[2], full[2], n = 0;

	must(pipe2(alone, O_DIRECT | O_NONBLOCK));
	must(write(alone[1], "one", 3));
	must(pipe2(mixed, O_DIRECT | O_NONBLOCK));
	must(write(mixed[1], "one", 3));
	must(fcntl(mixed[1], F_SETFL, O_NONBLOCK));
	must(write(mixed[1], "and", 3));
	must(pipe2(full, O_DIRECT | O_NONBLOCK));
	while (write(full[1], "x", 1) == 1)
		n++;

	checkpoint();

	/* A packet takes nothing that comes behind it, and a short read drops the rest of it. */
	must(write(alone[1], "three", 5));
	CHECK_EQUAL(read(alone[0], text, 2), 2);
	CHECK_EQUAL(read(alone[0], text, sizeof(text)), 5);
	must(write(mixed[1], "more", 4));
	CHECK_EQUAL(read(mixed[0], text, sizeof(text)), 3);
	CHECK_EQUAL(read(mixed[0], text, sizeof(text)), 7);
	CHECK_EQUAL(write(full[1], "x", 1), -1);
	while (read(full[0], text, sizeof(text)) == 1)
		n--;
	CHECK_EQUAL(n, 0);
	return 0;
}
