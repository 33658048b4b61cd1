// SPDX-License-Identifier: GPL-2.0-only
/* A thread that waits for completions of an io_uring waits on, and does not see that it was interrupted. */
#include <pthread.h>

#include "uring.h"

SUBJECT()

static struct uring u;
static pid_t waiter;

static void *work(void *arg)
{
	waiter = gettid();
	announce_waiter();
	CHECK_EQUAL(uring_enter(&u, 0, 1), 0);
	CHECK(is_restored());
	uring_take(&u, 1, 6);
	return NULL;
}

int main(void)
{
	pthread_t thread;

	uring_make(&u, 8, 0);
	CHECK_EQUAL(pthread_create(&thread, NULL, work, NULL), 0);
	while (!__atomic_load_n(&waiter, __ATOMIC_SEQ_CST))
		sleep_ms(1);
	await_call(waiter, SYS_io_uring_enter);

	checkpoint_with(1);

	uring_nops(&u, 1, 6);
	pthread_join(thread, NULL);
	return 0;
}
