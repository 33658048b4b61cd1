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

/* All but what is advised (PR_THP_DISABLE_EXCEPT_ADVISED, Linux 6.18). */
static int advised(void *arg)
{
	must(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	bool has_flags = prctl(PR_SET_THP_DISABLE, 1, 2, 0, 0) == 0;

	wait_for_restore();
	CHECK_EQUAL(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), has_flags ? 3 : 0);
	return 0;
}

int main(void)
{
	pid_t pid, second;

	must(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	pid = start_child(child, NULL);
	second = start_child(advised, NULL);

	checkpoint_with(2);

	CHECK_EQUAL(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
	join_child(pid, 0);
	join_child(second, 0);
	return 0;
}
