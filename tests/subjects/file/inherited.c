// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors inherited by a child share the position with the parent's; a pipe connects the two, at other numbers. */
#include "subject.h"

SUBJECT()

static int file, to_child[2], to_parent[2];

static int work(void *arg)
{
	char c;

	must(close(to_child[1]));
	must(close(to_parent[0]));
	/* Other numbers than in the parent. */
	int in = must(fcntl(to_child[0], F_DUPFD, 50)), out = must(fcntl(to_parent[1], F_DUPFD, 60));
	must(close(to_child[0]));
	must(close(to_parent[1]));

	wait_for_restore();

	CHECK_EQUAL(read(in, &c, 1), 1);
	CHECK_EQUAL(c, 'a');
	CHECK_EQUAL(lseek(file, 0, SEEK_CUR), 9);
	CHECK_EQUAL(lseek(file, 0, SEEK_SET), 0);
	CHECK_EQUAL(write(out, "b", 1), 1);
	CHECK_EQUAL(read(in, &c, 1), 0);
	return 0;
}

int main(void)
{
	char c;

	file = must(open("data", O_RDWR | O_CREAT, 0600));
	CHECK_EQUAL(write(file, "01234", 5), 5);
	must(pipe(to_child));
	must(pipe(to_parent));

	pid_t child = start_child(work, NULL);

	must(close(to_child[0]));
	must(close(to_parent[1]));

	checkpoint_with(1);

	CHECK_EQUAL(lseek(file, 4, SEEK_CUR), 9);
	CHECK_EQUAL(write(to_child[1], "a", 1), 1);
	CHECK_EQUAL(read(to_parent[0], &c, 1), 1);
	CHECK_EQUAL(c, 'b');
	CHECK_EQUAL(lseek(file, 0, SEEK_CUR), 0);
	must(close(to_child[1]));
	join_child(child, 0);
	CHECK_EQUAL(read(to_parent[0], &c, 1), 0);
	return 0;
}
