// SPDX-License-Identifier: GPL-2.0-only
/* Timer slack: of the program, and another one of a thread. */
#include "subject.h"

#include <pthread.h>
#include <sys/prctl.h>

SUBJECT()

static void *work(void *arg)
{
	unsigned long slack = (unsigned long)arg;

	must(prctl(PR_SET_TIMERSLACK, slack));
	wait_for_restore();
	CHECK_EQUAL(prctl(PR_GET_TIMERSLACK), slack);
	return NULL;
}

int main(void)
{
	pthread_t threads[2];

	CHECK_EQUAL(pthread_create(&threads[0], NULL, work, (void *)1ul), 0);
	CHECK_EQUAL(pthread_create(&threads[1], NULL, work, (void *)123456789ul), 0);
	must(prctl(PR_SET_TIMERSLACK, 77777));

	checkpoint_with(2);

	CHECK_EQUAL(prctl(PR_GET_TIMERSLACK), 77777);
	for (int i = 0; i < 2; i++)
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	return 0;
}
