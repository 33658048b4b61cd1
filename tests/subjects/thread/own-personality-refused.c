// SPDX-License-Identifier: GPL-2.0-only
/* A thread with a personality of its own: the image format has no place for it. */
#include "subject.h"

#include <pthread.h>
#include <sys/personality.h>

SUBJECT(.refused = "personality")

static void *work(void *arg)
{
	must(personality(UNAME26));
	wait_for_restore();
	CHECK_EQUAL(personality(0xffffffff), UNAME26);
	return NULL;
}

int main(void)
{
	pthread_t thread;

	CHECK_EQUAL(pthread_create(&thread, NULL, work, NULL), 0);

	checkpoint_with(1);

	CHECK_EQUAL(personality(0xffffffff), 0);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	return 0;
}
