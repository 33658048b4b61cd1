// SPDX-License-Identifier: GPL-2.0-only
/* Messages of an unlinked queue: full, with priorities, empty ones; opened twice, once for reading only; a child waits
 * to send. */
#include <mqueue.h>

#include "subject.h"

SUBJECT()

static mqd_t queue;

static int work(void *arg)
{
	announce_waiter();
	CHECK_EQUAL(mq_send(queue, "waited", 7, 1), 0);
	CHECK(is_restored());
	return 0;
}

int main(void)
{
	struct mq_attr attr = { .mq_maxmsg = 5, .mq_msgsize = 24 }, now;
	static const struct {
		const char *text;
		unsigned priority;
	} wanted[] = {
		{ "urgent", 31 }, { "first", 4 }, { "second", 4 }, { "", 2 }, { "last", 0 }, { "waited", 1 },
	};
	char text[24], path[32];
	unsigned priority;

	queue = mq_open("/criu-messages", O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	if (queue < 0)
		skip("mq_open: %s", strerror(errno));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", queue);
	int reader = must(open(path, O_RDONLY | O_NONBLOCK));
	must(dup2(reader, 100));
	must(mq_unlink("/criu-messages"));
	must(mq_send(queue, "first", 6, 4));
	must(mq_send(queue, "last", 5, 0));
	must(mq_send(queue, "second", 7, 4));
	must(mq_send(queue, "", 0, 2));
	must(mq_send(queue, "urgent", 7, 31));
	pid_t child = start_child(work, NULL);

	checkpoint_with(1);

	must(mq_getattr(queue, &now));
	CHECK_EQUAL(now.mq_curmsgs, 5);
	for (int i = 0; i < 4; i++) {
		ssize_t got = mq_receive(reader, text, 24, &priority);

		CHECK(got == 0 || !strcmp(text, wanted[i].text));
		CHECK_EQUAL(got, *wanted[i].text ? (ssize_t)strlen(wanted[i].text) + 1 : 0);
		CHECK_EQUAL(priority, wanted[i].priority);
	}
	join_child(child, 0);
	CHECK_EQUAL(mq_receive(100, text, 24, &priority), 7);
	CHECK_EQUAL(priority, 1);
	CHECK_EQUAL(mq_receive(queue, text, 24, &priority), 5);
	CHECK_EQUAL(mq_receive(reader, text, 24, &priority), -1);
	return 0;
}
