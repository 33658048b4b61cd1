// SPDX-License-Identifier: GPL-2.0-only
/* An unlinked message queue that is empty: size, mode, flags; two openings of it and a child share it. One with a name
 * that is mounted nowhere. */
#include <mqueue.h>

#include "subject.h"

SUBJECT()

static mqd_t queue;

static int work(void *arg)
{
	char text[24];

	wait_for_restore();
	CHECK_EQUAL(mq_send(queue, "from the child", 15, 3), 0);
	(void)text;
	return 0;
}

int main(void)
{
	struct mq_attr attr = { .mq_maxmsg = 3, .mq_msgsize = 24 }, now;
	char text[24], path[32];
	struct stat st;

	queue = mq_open("/criu-unlinked", O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	if (queue < 0)
		skip("mq_open: %s", strerror(errno));
	must(fchmod(queue, 0640));
	must(fchown(queue, 55, 66));
	must(mq_unlink("/criu-unlinked"));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", queue);
	int reader = must(open(path, O_RDONLY | O_NONBLOCK));
	mqd_t named = must(mq_open("/criu-named", O_RDWR | O_CREAT, 0600, &attr));

	while (mq_getattr(named, &now) == 0 && now.mq_curmsgs)
		must(mq_receive(named, text, 24, NULL));
	must(mq_send(named, "kept", 5, 1));
	pid_t child = start_child(work, NULL);

	checkpoint_with(1);

	join_child(child, 0);
	must(mq_getattr(queue, &now));
	CHECK(now.mq_maxmsg == 3 && now.mq_msgsize == 24 && now.mq_curmsgs == 1 && !(now.mq_flags & O_NONBLOCK));
	must(fstat(queue, &st));
	CHECK((st.st_mode & 07777) == 0640 && st.st_uid == 55 && st.st_gid == 66);
	CHECK_EQUAL(mq_receive(reader, text, 24, NULL), 15);
	CHECK(!strcmp(text, "from the child"));
	CHECK_EQUAL(mq_receive(reader, text, 24, NULL), -1);
	CHECK_EQUAL(errno, EAGAIN);
	CHECK_EQUAL(mq_receive(named, text, 24, NULL), 5);
	CHECK(!strcmp(text, "kept"));
	must(mq_unlink("/criu-named"));
	return 0;
}
