// SPDX-License-Identifier: GPL-2.0-only
/* Transparent huge pages switched off for a process, on for its child. */
#include "subject.h"

#include <sys/prctl.h>

SUBJECT()

static int child(void *arg)
{
	must(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	wait_for_restore();
	CHECK_EQUAL(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
	return 0;
}

int main(void)
{
	pid_t pid;

	must(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	pid = start_child(child, NULL);

	checkpoint_with(1);

	CHECK_EQUAL(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
	join_child(pid, 0);
	return 0;
}
