// SPDX-License-Identifier: GPL-2.0-only
/* The first thread has ended, others go on: the kernel shows the process as a zombie. */
#include "subject.h"

#include <pthread.h>

SUBJECT(.refused = "main thread has ended")

static pthread_t leader;

static void *work(void *arg)
{
	CHECK_EQUAL(pthread_join(leader, NULL), 0);
	checkpoint();
	exit(0);
}

int main(void)
{
	pthread_t thread;

	leader = pthread_self();
	CHECK_EQUAL(pthread_create(&thread, NULL, work, NULL), 0);
	pthread_exit(NULL);
}
