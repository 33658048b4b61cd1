// SPDX-License-Identifier: GPL-2.0-only
/* A POSIX message queue would be lost with its IPC namespace: the dump says so, even if nobody has it open. */
#include <mqueue.h>
#include <sched.h>

#include "subject.h"

SUBJECT(.refused = "POSIX message queue /subject would be lost")

int main(void)
{
	must(unshare(CLONE_NEWIPC));
	close(must(mq_open("/subject", O_RDWR | O_CREAT, 0600, NULL)));
	checkpoint();
	CHECK_EQUAL(mq_unlink("/subject"), 0);
	return 0;
}
