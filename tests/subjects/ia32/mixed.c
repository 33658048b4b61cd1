// SPDX-License-Identifier: GPL-2.0-only
/* A 32-bit program whose child is a 64-bit one, and which runs another one afterwards. */
#include "subject.h"

#include <poll.h>

SUBJECT()

#define PROGRAM "/bin/cat"

static pid_t start_cat(int to[2], int from[2])
{
	pid_t pid;

	must(pipe(to));
	must(pipe(from));
	pid = must(fork());
	if (pid)
		return pid;
	dup2(to[0], 0);
	dup2(from[1], 1);
	close(to[0]);
	close(to[1]);
	close(from[0]);
	close(from[1]);
	execl(PROGRAM, PROGRAM, (char *)NULL);
	_exit(1);
}

static void use_cat(const int to[2], const int from[2], char c)
{
	char got = 0;

	CHECK_EQUAL(write(to[1], &c, 1), 1);
	CHECK_EQUAL(read(from[0], &got, 1), 1);
	CHECK_EQUAL(got, c);
}

static void end_cat(pid_t pid, const int to[2], const int from[2])
{
	int status;

	close(to[0]);
	close(to[1]);
	CHECK_EQUAL(waitpid(pid, &status, 0), pid);
	CHECK_EQUAL(status, 0);
	close(from[0]);
	close(from[1]);
}

static bool is_64_bits(const char *path)
{
	unsigned char ident[5] = { 0 };
	int fd = open(path, O_RDONLY);
	bool is = fd >= 0 && read(fd, ident, 5) == 5 && ident[4] == 2;

	close(fd);
	return is;
}

int main(void)
{
	int to[2], from[2];
	pid_t pid;

	if (!is_64_bits(PROGRAM))
		skip(PROGRAM " is not a 64-bit program here");
	pid = start_cat(to, from);
	use_cat(to, from, '1');
	await_call(pid, 0 /* read, there */);

	checkpoint();

	use_cat(to, from, '2');
	end_cat(pid, to, from);
	pid = start_cat(to, from);
	use_cat(to, from, '3');
	end_cat(pid, to, from);
	return 0;
}
