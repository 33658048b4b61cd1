// SPDX-License-Identifier: GPL-2.0-only
/* Threads with filters of their own on top of common ones; a strict one would end the program, so it is not among them.
 */
#include "filters.h"

#include <pthread.h>

SUBJECT()

static void *with_filter(void *arg)
{
	must(install(SYS_getgid, 12, 0));
	must(install(SYS_getuid, 13, 0));
	wait_for_restore();
	CHECK_EQUAL(error_of(SYS_getppid), 11);
	CHECK_EQUAL(error_of(SYS_getgid), 12);
	CHECK_EQUAL(error_of(SYS_getuid), 13);
	return NULL;
}

static void *without(void *arg)
{
	wait_for_restore();
	CHECK_EQUAL(error_of(SYS_getppid), 11);
	CHECK_EQUAL(error_of(SYS_getgid), 0);
	return NULL;
}

int main(void)
{
	pthread_t threads[2];

	must(install(SYS_getppid, 11, 0));
	CHECK_EQUAL(pthread_create(&threads[0], NULL, with_filter, NULL), 0);
	CHECK_EQUAL(pthread_create(&threads[1], NULL, without, NULL), 0);

	checkpoint_with(2);

	CHECK_EQUAL(error_of(SYS_getppid), 11);
	CHECK_EQUAL(error_of(SYS_getgid), 0);
	CHECK_EQUAL(error_of(SYS_getuid), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	return 0;
}
