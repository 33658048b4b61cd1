// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors in messages in messages, many at once, the same one several times, and sockets that carry each other
 * round in a circle. */
#include "rights.h"

SUBJECT()

#define DEPTH 20
#define MANY  253

static int nested, cycle[2][2], types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

/* A socket with a message that holds a socket with a message, and so on. At the bottom there is a file. */
static int build_nested(void)
{
	int fd = must(open("bottom", O_RDWR | O_CREAT, 0600));

	for (int i = 0; i < DEPTH; i++) {
		int pair[2];

		must(socketpair(AF_UNIX, types[i % 3], 0, pair));
		send_one(pair[0], fd);
		must(close(fd));
		must(close(pair[0]));
		fd = pair[1];
	}
	return fd;
}

static void check_nested(int fd)
{
	struct stat st, wanted;

	for (int i = 0; i < DEPTH; i++)
		fd = receive_one(fd);
	CHECK(!fstat(fd, &st) && !stat("bottom", &wanted) && st.st_ino == wanted.st_ino);
	CHECK(!unlink("bottom"));
}

int main(void)
{
	int many[2], fds[MANY], got[MANY], file = must(open("many", O_RDWR | O_CREAT, 0600)), fd;
	char byte;

	nested = build_nested();

	/* Each of two pairs carries an end of the other: we keep only one end of each. */
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, cycle[0]));
	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, cycle[1]));
	send_one(cycle[0][0], cycle[1][0]);
	send_one(cycle[1][0], cycle[0][0]);
	must(close(cycle[0][0]));
	must(close(cycle[1][0]));

	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, many));
	for (int i = 0; i < MANY; i++)
		fds[i] = i & 1 ? file : many[0];
	send_fds(many[0], "many", fds, MANY);

	checkpoint();

	check_nested(nested);
	fd = receive_one(cycle[0][1]);
	CHECK_EQUAL(write(fd, "a", 1), 1);
	close(fd);
	fd = receive_one(cycle[1][1]);
	CHECK_EQUAL(write(fd, "b", 1), 1);
	CHECK_EQUAL(read(cycle[0][1], &byte, 1), 1);
	CHECK(byte == 'b');
	CHECK_EQUAL(recv(cycle[1][1], &byte, 1, MSG_DONTWAIT), 1);
	CHECK(byte == 'a');
	receive_fds(many[1], "many", got, MANY);
	for (int i = 0; i < MANY; i++)
		CHECK_EQUAL(syscall(SYS_kcmp, getpid(), getpid(), 0 /* KCMP_FILE */, got[i], fds[i]), 0);
	CHECK(!unlink("many"));
	return 0;
}
