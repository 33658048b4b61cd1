// SPDX-License-Identifier: GPL-2.0-only
/* A process that is not dumpable stays so, one that is stays so, also if its threads have other ids. */
#include "subject.h"

#include <pthread.h>
#include <sys/prctl.h>

SUBJECT()

static volatile bool changed;

static void *work(void *arg)
{
	/* The raw call changes this thread only; it makes the process not dumpable. */
	must(syscall(SYS_setresgid, 1000, 0, 0));
	changed = true;
	wait_for_restore();
	return NULL;
}

static int child(void *arg)
{
	must(prctl(PR_SET_DUMPABLE, 0));
	wait_for_restore();
	CHECK_EQUAL(prctl(PR_GET_DUMPABLE), 0);
	return 0;
}

int main(void)
{
	pid_t pid = start_child(child, NULL);
	pthread_t thread;

	CHECK_EQUAL(pthread_create(&thread, NULL, work, NULL), 0);
	while (!changed)
		sleep_ms(1);
	must(prctl(PR_SET_DUMPABLE, 1));

	checkpoint_with(2);

	CHECK_EQUAL(prctl(PR_GET_DUMPABLE), 1);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	join_child(pid, 0);
	return 0;
}
