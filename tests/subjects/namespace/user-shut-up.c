// SPDX-License-Identifier: GPL-2.0-only
/* A sandbox as that of browsers: in a user namespace, with the directory of a dead process as its root, in which there
 * is nothing. */
#include <sched.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

static int to_child[2], to_parent[2];

static int shut_up(void *arg)
{
	must(chroot("/proc/self/fdinfo"));
	must(chdir("/"));
	return 0;
}

static int inner(void *arg)
{
	static char stack[65536] __attribute__((aligned(16)));
	char c;
	pid_t pid;

	must(unshare(CLONE_NEWUSER));
	must(write(to_parent[1], "", 1));
	must(read(to_child[0], &c, 1)); /* the maps are written */
	pid = must(clone(shut_up, stack + sizeof(stack), CLONE_FS | CLONE_VM | CLONE_VFORK | SIGCHLD, NULL));
	must(waitpid(pid, NULL, 0));
	must(write(to_parent[1], "", 1));
	if (read(to_child[0], &c, 1) != 1)
		return 1;
	/* It cannot tell what is wrong. */
	return access("/proc", F_OK) < 0 && access("/0", F_OK) < 0 && getuid() == 7 ? 3 : 4;
}

int main(void)
{
	pid_t pid;
	char c;

	must(pipe(to_child));
	must(pipe(to_parent));
	pid = start_child(inner, NULL);
	must(read(to_parent[0], &c, 1));
	write_id_maps(pid, "7 0 1", "7 0 1");
	must(write(to_child[1], "", 1));
	must(read(to_parent[0], &c, 1));

	checkpoint();

	must(write(to_child[1], "", 1));
	join_child(pid, 3);
	return 0;
}
