// SPDX-License-Identifier: GPL-2.0-only
/* Messages in an unlinked queue can't be saved; after the refusal they are still there. */
#include <mqueue.h>

#include "subject.h"

SUBJECT(.refused = "message queue was unlinked and holds 1 messages", .ways = "untouched unharmed")

int main(void)
{
	struct mq_attr attr = { .mq_maxmsg = 3, .mq_msgsize = 24 };
	mqd_t queue = mq_open("/criu-unlinked", O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	char text[24];

	if (queue < 0)
		skip("mq_open: %s", strerror(errno));
	must(mq_unlink("/criu-unlinked"));
	must(mq_send(queue, "x", 2, 3));

	checkpoint();

	CHECK_EQUAL(mq_receive(queue, text, 24, NULL), 2);
	return 0;
}
