// SPDX-License-Identifier: GPL-2.0-only
/* Seccomp strict mode: a child that may only read, write and end; it ends with SIGKILL when it does anything else. */
#include "filters.h"

SUBJECT()

static int to_child[2], to_parent[2];

static int child(void *arg)
{
	char byte = 'r';

	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	syscall(SYS_write, to_parent[1], &byte, 1);
	syscall(SYS_read, to_child[0], &byte, 1);
	byte = 'a';
	syscall(SYS_write, to_parent[1], &byte, 1);
	if (arg)
		syscall(SYS_getpid); /* is killed here */
	byte = 'b';
	syscall(SYS_write, to_parent[1], &byte, 1);
	syscall(SYS_exit, 3);
	return 0;
}

static void check(void *arg)
{
	int status;
	pid_t pid;
	char byte;

	pid = start_child(child, arg);
	must(read(to_parent[0], &byte, 1));

	checkpoint();

	must(write(to_child[1], "g", 1));
	CHECK_EQUAL(read(to_parent[0], &byte, 1), 1);
	CHECK_EQUAL(byte, 'a');
	must(waitpid(pid, &status, 0));
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

int main(void)
{
	must(pipe(to_child));
	must(pipe(to_parent));
	check("disobeys");
	return 0;
}
