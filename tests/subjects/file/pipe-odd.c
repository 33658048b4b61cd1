// SPDX-License-Identifier: GPL-2.0-only
/* Pipes: full, enlarged, in packet mode, with one end closed, opened more than once by /proc. */
#include <sys/ioctl.h>

#include "subject.h"

SUBJECT()

#define BIG (1 << 18)

static int open_again(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return must(open(path, flags));
}

int main(void)
{
	static char data[BIG], back[BIG];
	int full[2], packets[2], no_reader[2], no_writer[2], twice[2], size;

	signal(SIGPIPE, SIG_IGN);
	must(pipe2(full, O_NONBLOCK));
	size = must(fcntl(full[1], F_SETPIPE_SZ, BIG));
	fill(data, BIG, 1);
	CHECK_EQUAL(write(full[1], data, BIG), BIG);

	must(pipe2(packets, O_DIRECT | O_NONBLOCK));
	must(write(packets[1], "one", 3));
	must(write(packets[1], "three", 5));

	must(pipe(no_reader));
	must(close(no_reader[0]));
	must(pipe(no_writer));
	must(write(no_writer[1], "end", 3));
	must(close(no_writer[1]));

	must(pipe(twice));
	int again = open_again(twice[1], O_WRONLY | O_NONBLOCK), both = open_again(twice[0], O_RDWR);

	must(close(twice[1]));

	checkpoint();

	CHECK_EQUAL(fcntl(full[0], F_GETPIPE_SZ), size);
	CHECK_EQUAL(write(full[1], data, 1), -1);
	CHECK_EQUAL(errno, EAGAIN);
	CHECK_EQUAL(read(full[0], back, BIG), BIG);
	check_filled(back, BIG, 1);
	CHECK_EQUAL(read(full[0], back, 1), -1);

	CHECK_EQUAL(read(packets[0], back, 100), 3);
	CHECK_EQUAL(read(packets[0], back, 100), 5);
	CHECK_EQUAL(read(packets[0], back, 100), -1);

	CHECK_EQUAL(write(no_reader[1], "x", 1), -1);
	CHECK_EQUAL(errno, EPIPE);
	CHECK_EQUAL(read(no_writer[0], back, 100), 3);
	CHECK_EQUAL(read(no_writer[0], back, 100), 0);

	CHECK(fcntl(again, F_GETFL) & O_NONBLOCK);
	must(write(again, "a", 1));
	must(write(both, "b", 1));
	CHECK_EQUAL(read(twice[0], back, 100), 2);
	must(close(both));
	must(close(again));
	CHECK_EQUAL(read(twice[0], back, 100), 0);
	return 0;
}
