// SPDX-License-Identifier: GPL-2.0-only
/* Pipes and sockets, which have no name, keep owner and mode: an ordinary user may open /dev/stdout again only if the
 * pipe is his. */
#include <sys/socket.h>

#include "subject.h"

SUBJECT()

static struct stat stat_of(int fd)
{
	struct stat st;

	must(fstat(fd, &st));
	return st;
}

static void check_same(int fd, struct stat before)
{
	struct stat now = stat_of(fd);

	CHECK_EQUAL(now.st_uid, before.st_uid);
	CHECK_EQUAL(now.st_gid, before.st_gid);
	CHECK_EQUAL(now.st_mode, before.st_mode);
}

/* Makes a pipe, two sockets and then a pair. */
static void make(int fds[6])
{
	must(pipe(fds));
	fds[2] = must(socket(AF_UNIX, SOCK_DGRAM, 0));
	fds[3] = must(socket(AF_INET, SOCK_STREAM, 0));
	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds + 4));
}

int main(void)
{
	int fds[3][6];
	struct stat before[3][6];
	char path[64];

	make(fds[0]);
	make(fds[1]);
	for (int i = 0; i < 6; i++) {
		must(fchown(fds[1][i], 12, 34));
		must(fchmod(fds[1][i], 0640));
	}
	must(setegid(1000));
	must(seteuid(1000));
	make(fds[2]);
	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 6; k++)
			before[i][k] = stat_of(fds[i][k]);
	must(seteuid(0));

	checkpoint();

	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 6; k++)
			check_same(fds[i][k], before[i][k]);
	must(seteuid(1000));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[2][1]);
	CHECK(open(path, O_WRONLY) >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0][1]);
	CHECK(open(path, O_WRONLY) == -1 && errno == EACCES);
	return 0;
}
