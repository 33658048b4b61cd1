// SPDX-License-Identifier: GPL-2.0-only
/* A process in a time namespace that has asked for another one for its children, of which there are none: nobody could
 * give it that. */
#include <sched.h>

#include "subject.h"

SUBJECT(.refused = "asked for another time namespace for its children")

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

int main(void)
{
	int own;

	if (unshare(CLONE_NEWTIME) < 0)
		skip("there are no time namespaces");
	own = must(open("/proc/self/ns/time_for_children", O_RDONLY));
	must(setns(own, CLONE_NEWTIME));
	close(own);
	must(unshare(CLONE_NEWTIME));
	checkpoint();
	return 0;
}
