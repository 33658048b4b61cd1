// SPDX-License-Identifier: GPL-2.0-only
/* A message queue with its messages. */
#include <mqueue.h>
#include <sys/mount.h>

#include "subject.h"

SUBJECT(.ignore = "fd") /* it is opened by its path */

int main(void)
{
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 16 };
	mqd_t queue = mq_open("/criu-subject", O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attr);
	char text[16];
	unsigned priority;

	if (queue < 0)
		skip("mq_open: %s", strerror(errno));
	must(mkdir("queues", 0700));
	if (mount("mqueue", "queues", "mqueue", 0, NULL) < 0) {
		mq_unlink("/criu-subject");
		skip("mounting the queues: %s", strerror(errno));
	}
	while (mq_receive(queue, text, 16, NULL) >= 0)
		;
	must(mq_send(queue, "low", 4, 1));
	must(mq_send(queue, "high", 5, 9));

	checkpoint();

	CHECK_EQUAL(mq_receive(queue, text, 16, &priority), 5);
	CHECK_EQUAL(priority, 9);
	CHECK_EQUAL(mq_receive(queue, text, 16, &priority), 4);
	CHECK_EQUAL(mq_receive(queue, text, 16, &priority), -1);
	CHECK_EQUAL(errno, EAGAIN);
	mq_unlink("/criu-subject");
	must(mq_close(queue));
	must(umount("queues"));
	return 0;
}
