// SPDX-License-Identifier: GPL-2.0-only
/* Fifos, opened for reading, for writing and for both, with what is in them; restored without waiting for a partner. */
#include "subject.h"

SUBJECT()

int main(void)
{
	char text[16];

	must(mkfifo("fifo", 0640));
	must(mkfifo("lonely", 0600));
	must(mkfifo("half", 0600));

	int both = must(open("fifo", O_RDWR)), in = must(open("fifo", O_RDONLY | O_NONBLOCK)),
	    out = must(open("fifo", O_WRONLY));
	int lonely = must(open("lonely", O_RDONLY | O_NONBLOCK));
	int half = must(open("half", O_RDONLY | O_NONBLOCK)), writer = must(open("half", O_WRONLY));

	must(write(out, "hello", 5));
	must(write(writer, "last", 4));
	must(close(writer));

	checkpoint();

	CHECK_EQUAL(read(in, text, 16), 5);
	CHECK(!memcmp(text, "hello", 5));
	must(write(both, "x", 1));
	CHECK_EQUAL(read(in, text, 16), 1);
	must(close(both));
	must(close(out));
	CHECK_EQUAL(read(in, text, 16), 0);
	CHECK_EQUAL(read(lonely, text, 16), 0);
	CHECK_EQUAL(read(half, text, 16), 4);
	CHECK_EQUAL(read(half, text, 16), 0);
	return 0;
}
