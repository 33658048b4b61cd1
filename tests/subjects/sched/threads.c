// SPDX-License-Identifier: GPL-2.0-only
/* Threads of one process with different policies and nice values. */
#include "subject.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

SUBJECT()

static void *work(void *arg)
{
	int nice = (int)(long)arg;
	id_t tid = (id_t)syscall(SYS_gettid);
	struct sched_param param = { .sched_priority = nice };

	if (nice > 10)
		must(syscall(SYS_sched_setscheduler, 0, SCHED_RR, &param));
	else
		must(setpriority(PRIO_PROCESS, tid, nice));
	wait_for_restore();
	CHECK_EQUAL(syscall(SYS_sched_getscheduler, 0), nice > 10 ? SCHED_RR : SCHED_OTHER);
	if (nice <= 10)
		CHECK_EQUAL(getpriority(PRIO_PROCESS, tid), nice);
	return NULL;
}

int main(void)
{
	int own = getpriority(PRIO_PROCESS, 0);
	pthread_t threads[20];

	for (long i = 0; i < 20; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, work, (void *)i), 0);

	checkpoint_with(20);

	CHECK_EQUAL(getpriority(PRIO_PROCESS, 0), own);
	for (int i = 0; i < 20; i++)
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	return 0;
}
