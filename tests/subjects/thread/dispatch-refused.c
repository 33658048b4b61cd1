// SPDX-License-Identifier: GPL-2.0-only
/* A thread whose system calls are dispatched to itself (PR_SET_SYSCALL_USER_DISPATCH): criu's own calls in it would be,
 * too. */
#include "subject.h"

#include <pthread.h>
#include <sys/prctl.h>

SUBJECT(.refused = "SYSCALL_USER_DISPATCH")

#define SET_DISPATCH 59

static volatile char selector; /* 0 = allow */

static void *work(void *arg)
{
	if (prctl(SET_DISPATCH, 1, 0, 0, &selector) < 0)
		skip("this kernel has no system call dispatch");
	wait_for_restore();
	return NULL;
}

int main(void)
{
	pthread_t thread;

	CHECK_EQUAL(pthread_create(&thread, NULL, work, NULL), 0);

	checkpoint_with(1);

	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	return 0;
}
