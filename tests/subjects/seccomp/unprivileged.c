// SPDX-License-Identifier: GPL-2.0-only
/* A user without privileges, with no_new_privs in one thread and filters in both; the other thread does not get
 * no_new_privs by the restore. */
#include "filters.h"

#include <pthread.h>

SUBJECT()

static int to_child[2], to_parent[2];

static void *work(void *arg)
{
	char byte;

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	must(install(SYS_getgid, 12, 0));
	must(syscall(SYS_setresuid, 1000, 1000, 1000));
	must(write(to_parent[1], "r", 1));
	must(read(to_child[0], &byte, 1));
	CHECK_EQUAL(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	CHECK_EQUAL(error_of(SYS_getgid), 12);
	CHECK_EQUAL(error_of(SYS_getppid), 11);
	return NULL;
}

static int child(void *arg)
{
	pthread_t thread;

	must(install(SYS_getppid, 11, 0));
	CHECK_EQUAL(pthread_create(&thread, NULL, work, NULL), 0);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	CHECK_EQUAL(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	CHECK_EQUAL(error_of(SYS_getppid), 11);
	CHECK_EQUAL(error_of(SYS_getgid), 0);
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
