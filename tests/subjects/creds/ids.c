// SPDX-License-Identifier: GPL-2.0-only
/* User, group and supplementary ids: real, effective, saved and file system ones all different, without any privilege.
 */
#include "subject.h"

#include <grp.h>
#include <sys/fsuid.h>

SUBJECT()

static int to_child[2], to_parent[2];

static int child(void *arg)
{
	gid_t groups[3] = { 70, 60, 50 }, found[5];
	uid_t real, effective, saved;
	char byte;

	must(setgroups(3, groups));
	must(setresgid(11, 12, 13));
	must(setresuid(21, 22, 23));
	setfsgid(13);
	setfsuid(23);
	must(write(to_parent[1], "r", 1));
	must(read(to_child[0], &byte, 1));

	must(getresuid(&real, &effective, &saved));
	CHECK(real == 21 && effective == 22 && saved == 23);
	CHECK_EQUAL(setfsuid((uid_t)-1), 23);
	must(getresgid(&real, &effective, &saved));
	CHECK(real == 11 && effective == 12 && saved == 13);
	CHECK_EQUAL(setfsgid((gid_t)-1), 13);
	CHECK_EQUAL(getgroups(5, found), 3);
	CHECK(found[0] == 50 && found[1] == 60 && found[2] == 70);
	CHECK(setuid(0) == -1);
	return 0;
}

int main(void)
{
	char byte;
	pid_t pid;

	must(pipe(to_child));
	must(pipe(to_parent));
	pid = start_child(child, NULL);
	must(read(to_parent[0], &byte, 1));

	checkpoint();

	must(write(to_child[1], "g", 1));
	join_child(pid, 0);
	return 0;
}
