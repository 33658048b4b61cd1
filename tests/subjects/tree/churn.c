// SPDX-License-Identifier: GPL-2.0-only
/* Processes and threads come and end all the time: a dump meets them at any moment of their lives. It begins when the
 * file "churn" is there. */
#include <pthread.h>

#include "subject.h"

SUBJECT()

static void *nothing(void *arg)
{
	return arg;
}

static void wait_for_start(void)
{
	announce_waiter();
	while (!is_restored() && access(control_path("churn"), F_OK) < 0)
		sleep_ms(5);
}

static void *churn_threads(void *arg)
{
	pthread_t threads[4];

	wait_for_start();
	while (!is_restored()) {
		for (int i = 0; i < 4; i++)
			CHECK_EQUAL(pthread_create(&threads[i], NULL, nothing, NULL), 0);
		for (int i = 0; i < 4; i++)
			CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	}
	return NULL;
}

/* Some leave in the middle of making a thread, some leave an orphan. */
static int leave_soon(void *arg)
{
	long number = (long)arg;
	pthread_t thread;

	if (number & 1)
		CHECK_EQUAL(pthread_create(&thread, NULL, nothing, NULL), 0);
	if (number == 3 && fork() == 0)
		_exit(2);
	return (int)number;
}

static void *churn_children(void *arg)
{
	pid_t children[5];

	wait_for_start();
	while (!is_restored()) {
		for (long i = 0; i < 5; i++)
			children[i] = start_child(leave_soon, (void *)i);
		for (int i = 0; i < 5; i++)
			join_child(children[i], i);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads, children;

	CHECK_EQUAL(pthread_create(&threads, NULL, churn_threads, NULL), 0);
	CHECK_EQUAL(pthread_create(&children, NULL, churn_children, NULL), 0);
	checkpoint_with(2);
	CHECK_EQUAL(pthread_join(threads, NULL), 0);
	CHECK_EQUAL(pthread_join(children, NULL), 0);
	return 0;
}
