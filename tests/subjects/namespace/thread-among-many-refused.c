// SPDX-License-Identifier: GPL-2.0-only
/*
 * One of many threads has a UTS namespace that it got from another one, which has ended; a second one has a descriptor
 * table of its own.
 */
#include "subject.h"

#include <pthread.h>
#include <sched.h>

SUBJECT(.refused = "(?s)(a uts namespace of its own.*|unshare\\(CLONE_FILES\\).*){2}")

#define N 130

static void *wait_inside(void *arg)
{
	char name[16] = "";

	wait_for_restore();
	CHECK_EQUAL(gethostname(name, sizeof(name)), 0);
	CHECK(!strcmp(name, "inner"));
	return NULL;
}

static pthread_t heir;

static void *bequeath(void *arg)
{
	must(unshare(CLONE_NEWUTS));
	must(sethostname("inner", 5));
	CHECK_EQUAL(pthread_create(&heir, NULL, wait_inside, NULL), 0);
	return NULL;
}

static void *work(void *arg)
{
	if (arg)
		must(unshare(CLONE_FILES));
	wait_for_restore();
	return NULL;
}

int main(void)
{
	pthread_t threads[N], first;

	CHECK_EQUAL(pthread_create(&first, NULL, bequeath, NULL), 0);
	CHECK_EQUAL(pthread_join(first, NULL), 0);
	for (long i = 0; i < N; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, work, i == 60 ? (void *)"own" : NULL), 0);

	checkpoint_with(N + 1);

	CHECK_EQUAL(pthread_join(heir, NULL), 0);
	for (long i = 0; i < N; i++)
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	return 0;
}
