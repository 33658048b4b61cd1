// SPDX-License-Identifier: GPL-2.0-only
/* Pipes and pairs of sockets that lie anywhere: swapped, apart, where a fresh one would come to lie, each its flags. */
#include <sys/socket.h>

#include "subject.h"

SUBJECT()

struct twins {
	int ends[2];
	int cloexec[2];
	bool is_pipe;
	int nonblock; /* O_NONBLOCK or 0 */
};

static void make(struct twins *twins)
{
	int made[2];

	if (twins->is_pipe)
		must(pipe2(made, O_CLOEXEC | twins->nonblock));
	else
		must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | twins->nonblock, 0, made));
	for (int i = 0; i < 2; i++) {
		int aside = fcntl(made[i], F_DUPFD_CLOEXEC, 100);

		must(aside);
		must(close(made[i]));
		made[i] = aside;
	}
	for (int i = 0; i < 2; i++) {
		must(dup3(made[i], twins->ends[i], twins->cloexec[i] ? O_CLOEXEC : 0));
		must(close(made[i]));
	}
}

static void check(const struct twins *twins)
{
	char text[8];

	for (int i = 0; i < 2; i++) {
		CHECK_EQUAL(fcntl(twins->ends[i], F_GETFD), twins->cloexec[i] ? FD_CLOEXEC : 0);
		CHECK_EQUAL(fcntl(twins->ends[i], F_GETFL) & O_NONBLOCK, twins->nonblock);
	}
	CHECK_EQUAL(write(twins->ends[1], "abc", 3), 3);
	CHECK_EQUAL(read(twins->ends[0], text, sizeof(text)), 3);
	CHECK(!memcmp(text, "abc", 3));
	if (!twins->is_pipe) {
		CHECK_EQUAL(write(twins->ends[0], "de", 2), 2);
		CHECK_EQUAL(read(twins->ends[1], text, sizeof(text)), 2);
	}
}

int main(void)
{
	static struct twins all[] = {
		{ { 5, 4 }, { 0, 1 }, true, 0 },
		{ { 7, 6 }, { 1, 0 }, false, 0 },
		{ { 20, 21 }, { 0, 0 }, true, 0 },
		{ { 23, 22 }, { 1, 1 }, true, O_NONBLOCK },
		{ { 24, 60 }, { 1, 0 }, true, 0 },
		{ { 61, 25 }, { 0, 1 }, true, 0 },
		{ { 26, 27 }, { 0, 1 }, false, O_NONBLOCK },
		{ { 63, 28 }, { 1, 0 }, false, 0 },
		{ { 29, 62 }, { 0, 0 }, false, 0 },
		{ { 31, 30 }, { 1, 1 }, false, 0 },
		{ { 41, 40 }, { 0, 1 }, true, O_NONBLOCK },
	};
	struct stat before[ARRAY_SIZE(all)], after;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		make(&all[i]);
		must(fstat(all[i].ends[0], &before[i]));
	}

	checkpoint();

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		check(&all[i]);
		must(fstat(all[i].ends[0], &after));
		CHECK_EQUAL(after.st_mode, before[i].st_mode);
		CHECK_EQUAL(after.st_uid, before[i].st_uid);
	}
	return 0;
}
