// SPDX-License-Identifier: GPL-2.0-only
/* A notification that is asked for in an unlinked queue with messages cannot be saved; after the refusal all is as it
 * was. */
#include <mqueue.h>

#include "subject.h"

SUBJECT(.refused = "message queue was unlinked, holds messages, and process [0-9]+ waits for a notification",
	.ways = "untouched unharmed")

int main(void)
{
	struct mq_attr attr = { .mq_maxmsg = 3, .mq_msgsize = 24 };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	mqd_t queue = mq_open("/criu-unlinked", O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	sigset_t mask, pending;
	char text[24];

	if (queue < 0)
		skip("mq_open: %s", strerror(errno));
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	must(sigprocmask(SIG_BLOCK, &mask, NULL));
	must(mq_unlink("/criu-unlinked"));
	must(mq_send(queue, "x", 2, 3));
	must(mq_notify(queue, &event));

	checkpoint();

	must(sigpending(&pending));
	CHECK(!sigismember(&pending, SIGUSR1));
	CHECK_EQUAL(mq_receive(queue, text, 24, NULL), 2);
	must(mq_send(queue, "x", 2, 3));
	must(sigpending(&pending));
	CHECK(sigismember(&pending, SIGUSR1));
	return 0;
}
