// SPDX-License-Identifier: GPL-2.0-only
/* Current directory, root directory and umask: of the program, and of a child that lives in another root. */
#include "subject.h"

SUBJECT()

static int to_child[2], to_parent[2];

static void check_here(const char *name)
{
	struct stat here, wanted;

	must(stat(".", &here));
	must(stat(name, &wanted));
	CHECK_EQUAL(here.st_ino, wanted.st_ino);
}

static int jailed(void *arg)
{
	char byte;

	must(chroot("jail"));
	must(chdir("/inner"));
	umask(0137);
	must(write(to_parent[1], "r", 1));
	must(read(to_child[0], &byte, 1));
	check_here("/inner");
	must(access("/only-here", F_OK));
	CHECK_EQUAL(umask(0), 0137);
	/* Above the root there is nothing. */
	must(chdir("/../.."));
	must(access("only-here", F_OK));
	return 0;
}

int main(void)
{
	char byte;
	pid_t pid;

	must(mkdir("jail", 0755));
	must(mkdir("jail/inner", 0755));
	must(mkdir("deep", 0755));
	close(must(open("jail/only-here", O_CREAT | O_WRONLY, 0644)));
	must(pipe(to_child));
	must(pipe(to_parent));
	pid = start_child(jailed, NULL);
	must(read(to_parent[0], &byte, 1));
	must(chdir("deep"));
	umask(0027);

	checkpoint();

	CHECK_EQUAL(umask(0), 0027);
	check_here("../deep");
	must(access("/proc/self", F_OK));
	must(write(to_child[1], "g", 1));
	join_child(pid, 0);
	return 0;
}
