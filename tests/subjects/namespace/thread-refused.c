// SPDX-License-Identifier: GPL-2.0-only
/* A thread that lives in a network and a UTS namespace of its own: the image format has no place for it. */
#include "subject.h"

#include <pthread.h>
#include <sched.h>

SUBJECT(.refused = "(?s)a net namespace of its own.*a uts namespace of its own")

static void *work(void *arg)
{
	char name[16] = "";

	must(unshare(CLONE_NEWNET | CLONE_NEWUTS));
	must(sethostname("inner", 5));
	wait_for_restore();
	CHECK_EQUAL(gethostname(name, sizeof(name)), 0);
	CHECK(strcmp(name, "inner") == 0);
	return NULL;
}

int main(void)
{
	char name[16] = "";
	pthread_t thread;

	CHECK_EQUAL(pthread_create(&thread, NULL, work, NULL), 0);

	checkpoint_with(1);

	gethostname(name, sizeof(name));
	CHECK(strcmp(name, "inner") != 0);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	return 0;
}
