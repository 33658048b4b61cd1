// SPDX-License-Identifier: GPL-2.0-only
/* Only one of two threads has a filter, and it is not the leader; the leader cannot give it one of its own. */
#include "filters.h"

#include <pthread.h>

SUBJECT()

static volatile int done;

static void *with_filter(void *arg)
{
	must(install(SYS_getgid, 12, 0));
	wait_for_restore();
	CHECK_EQUAL(error_of(SYS_getgid), 12);
	while (!done)
		sleep_ms(5);
	return NULL;
}

int main(void)
{
	pthread_t thread;

	CHECK_EQUAL(pthread_create(&thread, NULL, with_filter, NULL), 0);

	checkpoint_with(1);

	CHECK_EQUAL(error_of(SYS_getgid), 0);
	CHECK(install(SYS_getuid, 13, SECCOMP_FILTER_FLAG_TSYNC) > 0);
	CHECK_EQUAL(error_of(SYS_getuid), 0);
	done = 1;
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	return 0;
}
