// SPDX-License-Identifier: GPL-2.0-only
/* The root of the tree has asked for a signal when its parent dies: it does not come because criu, its parent now,
 * ends. */
#include "subject.h"

#include <sys/prctl.h>

SUBJECT()

int main(void)
{
	must(prctl(PR_SET_PDEATHSIG, SIGKILL));

	checkpoint();

	return 0;
}
