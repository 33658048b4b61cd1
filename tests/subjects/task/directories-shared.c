// SPDX-License-Identifier: GPL-2.0-only
/* Two processes that share their directories (CLONE_FS) still do, a third does not. */
#include "subject.h"

#include <sched.h>

SUBJECT()

static int to_child[2], to_parent[2];

static int sharer(void *arg)
{
	char byte;

	announce_waiter();
	must(read(to_child[0], &byte, 1));
	must(chdir("there"));
	umask(0123);
	must(write(to_parent[1], "d", 1));
	return 0;
}

static int loner(void *arg)
{
	wait_for_restore();
	must(chdir("/"));
	umask(0);
	return 0;
}

int main(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	struct stat there, here;
	pid_t shares, alone;
	char byte;

	must(mkdir("there", 0755));
	must(stat("there", &there));
	must(pipe(to_child));
	must(pipe(to_parent));
	shares = must(clone(sharer, stack + sizeof(stack), CLONE_FS | SIGCHLD, NULL));
	alone = start_child(loner, NULL);

	checkpoint_with(2);

	join_child(alone, 0);
	must(write(to_child[1], "g", 1));
	must(read(to_parent[0], &byte, 1));
	must(stat(".", &here));
	CHECK_EQUAL(here.st_ino, there.st_ino);
	CHECK_EQUAL(umask(0), 0123);
	join_child(shares, 0);
	return 0;
}
