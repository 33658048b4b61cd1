// SPDX-License-Identifier: GPL-2.0-only
/* A child subreaper still gets the orphans below it, and is not one for its children's names. */
#include "subject.h"

#include <sys/prctl.h>

SUBJECT()

static int grandchild(void *arg)
{
	wait_for_restore();
	/* Waits to be an orphan. */
	for (int i = 0; i < 6000 && getppid() != *(pid_t *)arg; i++)
		sleep_ms(10);
	CHECK_EQUAL(getppid(), *(pid_t *)arg);
	return 5;
}

static int child(void *arg)
{
	int on = 1;

	start_child(grandchild, arg);
	wait_for_restore();
	must(prctl(PR_GET_CHILD_SUBREAPER, &on));
	CHECK_EQUAL(on, 0);
	return 4;
}

int main(void)
{
	pid_t pid = getpid(), son;
	int on = 0, status;

	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	son = start_child(child, &pid);

	checkpoint_with(2);

	must(prctl(PR_GET_CHILD_SUBREAPER, &on));
	CHECK_EQUAL(on, 1);
	join_child(son, 4);
	must(wait(&status));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
	return 0;
}
