// SPDX-License-Identifier: GPL-2.0-only
/* A process whose next child would be born into another pid namespace can't be checkpointed yet. */
#include <sched.h>

#include "subject.h"

SUBJECT(.refused = "would be born into another pid namespace", .house = "pid")

int main(void)
{
	must(unshare(CLONE_NEWPID));
	checkpoint();
	return 0;
}
