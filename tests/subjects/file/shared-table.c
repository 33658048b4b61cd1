// SPDX-License-Identifier: GPL-2.0-only
/* Two processes with one descriptor table (CLONE_FILES): what one opens or closes, the other sees. A third has its own.
 */
#include <sched.h>

#include "subject.h"

SUBJECT()

static int opened, pipes[2];

static int work(void *arg)
{
	char c;

	opened = must(
		open("data", O_RDWR | O_CREAT, 0600)); /* the memory is not shared: the number is found by its path */
	must(write(opened, "12345", 5));
	wait_for_restore();
	CHECK_EQUAL(read(pipes[0], &c, 1), 1);
	must(close(opened));
	must(write(pipes[1], "x", 1));
	return 0;
}

static int apart(void *arg)
{
	char c;

	wait_for_restore();
	CHECK_EQUAL(read(pipes[0], &c, 1), 1);
	CHECK_EQUAL(fcntl(9, F_GETFD), -1);
	return 0;
}

int main(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	char c;

	must(pipe(pipes));

	pid_t other = start_child(apart, NULL),
	      child = must(clone(work, stack + sizeof(stack), CLONE_FILES | SIGCHLD, NULL));

	checkpoint_with(2);

	int number = -1;
	for (int fd = 3; fd < 20; fd++)
		if (fd != pipes[0] && fd != pipes[1] && fcntl(fd, F_GETFD) >= 0 && lseek(fd, 0, SEEK_CUR) == 5)
			number = fd;
	CHECK(number >= 0);
	must(write(pipes[1], "ab", 2));
	join_child(other, 0);
	join_child(child, 0);
	CHECK_EQUAL(fcntl(number, F_GETFD), -1);
	CHECK_EQUAL(read(pipes[0], &c, 1), 1);
	CHECK_EQUAL(c, 'x');
	return 0;
}
