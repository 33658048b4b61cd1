// SPDX-License-Identifier: GPL-2.0-only
/* Threads of one process with credentials of their own, made by raw system calls. */
#include "subject.h"

#include <linux/capability.h>
#include <pthread.h>
#include <sys/prctl.h>

SUBJECT()

#define N 3

static void check(uid_t wanted_uid, gid_t wanted_gid, int nnp, int bounding)
{
	unsigned real, effective, saved;

	must(syscall(SYS_getresuid, &real, &effective, &saved));
	CHECK_EQUAL(real, wanted_uid);
	CHECK_EQUAL(effective, 0);
	must(syscall(SYS_getresgid, &real, &effective, &saved));
	CHECK_EQUAL(saved, wanted_gid);
	CHECK_EQUAL(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), nnp);
	CHECK_EQUAL(prctl(PR_CAPBSET_READ, CAP_MKNOD), bounding);
}

static void *work(void *arg)
{
	unsigned i = (unsigned)(uintptr_t)arg, group = 100 + i, found[4];

	must(syscall(SYS_setgroups, 1, &group));
	must(syscall(SYS_setresgid, -1, -1, 300 + i));
	must(syscall(SYS_setresuid, 200 + i, 0, 0));
	if (i == 1)
		must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (i == 2)
		must(prctl(PR_CAPBSET_DROP, CAP_MKNOD));
	wait_for_restore();
	check(200 + i, 300 + i, i == 1, i != 2);
	CHECK_EQUAL(syscall(SYS_getgroups, 4, found), 1);
	CHECK_EQUAL(found[0], group);
	return NULL;
}

int main(void)
{
	pthread_t threads[N];

	for (uintptr_t i = 0; i < N; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, work, (void *)i), 0);

	checkpoint_with(N);

	check(0, 0, 0, 1);
	CHECK_EQUAL(syscall(SYS_getgroups, 0, NULL), 0);
	for (int i = 0; i < N; i++)
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	return 0;
}
