// SPDX-License-Identifier: GPL-2.0-only
/* Daemons that call setsid late: their children stay in the session that they themselves were born into, twice in a
 * row. */
#include "subject.h"

SUBJECT()

static pid_t first;

static int grandchild(void *arg)
{
	wait_for_restore();
	CHECK_EQUAL(getsid(0), first);
	return 1;
}

static int late(void *arg)
{
	pid_t child = arg ? start_child(late, NULL) : start_child(grandchild, NULL);

	must(setsid());
	wait_for_restore();
	CHECK_EQUAL(getsid(0), getpid());
	join_child(child, 1);
	return 1;
}

int main(void)
{
	pid_t child;

	first = getsid(0);
	child = start_child(late, "twice");

	checkpoint_with(3);

	join_child(child, 1);
	return 0;
}
