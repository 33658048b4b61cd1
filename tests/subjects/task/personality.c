// SPDX-License-Identifier: GPL-2.0-only
/* The personality: of the program, of a thread, and another one of a child. */
#include "subject.h"

#include <pthread.h>
#include <sys/personality.h>

SUBJECT()

static void *work(void *arg)
{
	wait_for_restore();
	CHECK_EQUAL(personality(0xffffffff), ADDR_NO_RANDOMIZE | ADDR_COMPAT_LAYOUT);
	return NULL;
}

static int child(void *arg)
{
	must(personality(READ_IMPLIES_EXEC | UNAME26));
	wait_for_restore();
	CHECK_EQUAL(personality(0xffffffff), READ_IMPLIES_EXEC | UNAME26);
	return 0;
}

int main(void)
{
	pthread_t thread;
	pid_t pid;

	must(personality(ADDR_NO_RANDOMIZE | ADDR_COMPAT_LAYOUT));
	CHECK_EQUAL(pthread_create(&thread, NULL, work, NULL), 0);
	pid = start_child(child, NULL);

	checkpoint_with(2);

	CHECK_EQUAL(personality(0xffffffff), ADDR_NO_RANDOMIZE | ADDR_COMPAT_LAYOUT);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	join_child(pid, 0);
	return 0;
}
