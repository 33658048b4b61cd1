// SPDX-License-Identifier: GPL-2.0-only
/* A child that lives in another pid namespace than its parent can't be checkpointed yet, nor a process whose next child
 * would. */
#include <sched.h>

#include "subject.h"

SUBJECT(.refused = "another pid namespace", .house = "pid")

static int first(void *arg)
{
	wait_for_restore();
	return 0;
}

int main(void)
{
	pid_t pid;

	must(unshare(CLONE_NEWPID));
	pid = start_child(first, NULL);
	checkpoint_with(1);
	join_child(pid, 0);
	return 0;
}
