// SPDX-License-Identifier: GPL-2.0-only
/* Threads that have the same filters can be given one more at once, without privileges: the kernel demands that they
 * are the same objects. */
#include "filters.h"

#include <pthread.h>

SUBJECT()

static volatile int done;

static void *work(void *arg)
{
	wait_for_restore();
	while (!done)
		sleep_ms(5);
	CHECK_EQUAL(error_of(SYS_getppid), 11);
	CHECK_EQUAL(error_of(SYS_getgid), 12);
	CHECK_EQUAL(error_of(SYS_getuid), 13);
	CHECK_EQUAL(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	return NULL;
}

int main(void)
{
	pthread_t threads[3];

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	must(install(SYS_getppid, 11, 0));
	for (int i = 0; i < 3; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, work, NULL), 0);
	CHECK_EQUAL(install(SYS_getgid, 12, SECCOMP_FILTER_FLAG_TSYNC), 0);

	checkpoint_with(3);

	CHECK_EQUAL(install(SYS_getuid, 13, SECCOMP_FILTER_FLAG_TSYNC), 0);
	done = 1;
	for (int i = 0; i < 3; i++)
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	return 0;
}
