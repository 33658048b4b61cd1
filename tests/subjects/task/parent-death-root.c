// SPDX-License-Identifier: GPL-2.0-only
/* The root of the tree has asked for a signal when its parent dies: it does not come because criu, its parent now,
 * ends. */
#include "subject.h"

#include <sys/prctl.h>

SUBJECT()

int main(void)
{
	/* Who has started it ends about now: the signal is not to be for that. */
	for (int i = 0; i < 2000 && getppid() > 1; i++)
		sleep_ms(1);
	must(prctl(PR_SET_PDEATHSIG, SIGKILL));

	checkpoint();

	return 0;
}
