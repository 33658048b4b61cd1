// SPDX-License-Identifier: GPL-2.0-only
/* A thread with a personality of its own among so many that they are not asked: it is refused all the same. */
#include "subject.h"

#include <pthread.h>
#include <sys/personality.h>

SUBJECT(.refused = "personality")

#define N 60

static void *other(void *arg)
{
	wait_for_restore();
	return arg;
}

static void *work(void *arg)
{
	must(personality(UNAME26));
	wait_for_restore();
	CHECK_EQUAL(personality(0xffffffff), UNAME26);
	return NULL;
}

int main(void)
{
	pthread_t thread, others[N];

	CHECK_EQUAL(pthread_create(&thread, NULL, work, NULL), 0);

	for (int i = 0; i < N; i++)
		CHECK_EQUAL(pthread_create(&others[i], NULL, other, NULL), 0);

	checkpoint_with(N + 1);

	CHECK_EQUAL(personality(0xffffffff), 0);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	for (int i = 0; i < N; i++)
		CHECK_EQUAL(pthread_join(others[i], NULL), 0);
	return 0;
}
