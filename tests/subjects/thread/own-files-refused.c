// SPDX-License-Identifier: GPL-2.0-only
/* A thread with a descriptor table of its own: the image format has no place for it. */
#include "subject.h"

#include <pthread.h>
#include <sched.h>

SUBJECT(.refused = "unshare\\(CLONE_FILES\\)")

static void *work(void *arg)
{
	must(unshare(CLONE_FILES));
	must(dup2(1, 99));
	wait_for_restore();
	return NULL;
}

int main(void)
{
	pthread_t thread;

	CHECK_EQUAL(pthread_create(&thread, NULL, work, NULL), 0);

	checkpoint_with(1);

	CHECK(fcntl(99, F_GETFD) == -1);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	return 0;
}
