// SPDX-License-Identifier: GPL-2.0-only
/* A POSIX message queue with messages, whose next first one somebody waits for: they cannot be looked at. */
#include <mqueue.h>
#include <sched.h>

#include "subject.h"

SUBJECT(.refused = "POSIX message queue /subject.*waits for a notification")

int main(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	mqd_t queue;

	must(unshare(CLONE_NEWIPC));
	queue = must(mq_open("/subject", O_RDWR | O_CREAT, 0600, NULL));
	must(mq_send(queue, "x", 1, 0));
	must(mq_notify(queue, &event));
	checkpoint();
	CHECK_EQUAL(mq_unlink("/subject"), 0);
	return 0;
}
