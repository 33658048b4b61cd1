// SPDX-License-Identifier: GPL-2.0-only
/* A process whose memory the kernel may merge with that of others, also what it will map later; its child turned that
 * off. */
#include "subject.h"

#include <sys/prctl.h>

SUBJECT()

#define SET_MEMORY_MERGE 67
#define GET_MEMORY_MERGE 68

static int child(void *arg)
{
	must(prctl(SET_MEMORY_MERGE, 0, 0, 0, 0));
	wait_for_restore();
	CHECK_EQUAL(prctl(GET_MEMORY_MERGE, 0, 0, 0, 0), 0);
	return 0;
}

int main(void)
{
	pid_t pid;

	if (prctl(SET_MEMORY_MERGE, 1, 0, 0, 0) < 0)
		skip("this kernel does not merge memory");
	pid = start_child(child, NULL);

	checkpoint_with(1);

	CHECK_EQUAL(prctl(GET_MEMORY_MERGE, 0, 0, 0, 0), 1);
	join_child(pid, 0);
	return 0;
}
