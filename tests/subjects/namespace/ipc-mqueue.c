// SPDX-License-Identifier: GPL-2.0-only
/*
 * POSIX message queues of IPC namespaces: with messages, whether somebody has them open or not, by name, by path,
 * unlinked; and in the namespace of a child.
 */
#include <mqueue.h>
#include <sched.h>
#include <sys/mount.h>

#include "subject.h"

SUBJECT()

static mqd_t make(const char *name, long messages, long size, int mode)
{
	struct mq_attr attr = { .mq_maxmsg = messages, .mq_msgsize = size };
	mqd_t queue = must(mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, mode, &attr));

	return queue;
}

static void expect(mqd_t queue, const char *text, unsigned priority)
{
	char got[1000];
	unsigned theirs = 0;
	ssize_t size = mq_receive(queue, got, sizeof(got), &theirs);

	CHECK_EQUAL(size, strlen(text));
	CHECK(!memcmp(got, text, (size_t)size));
	CHECK_EQUAL(theirs, priority);
}

static int child(void *arg)
{
	mqd_t queue;

	must(unshare(CLONE_NEWIPC));
	queue = make("/same", 3, 30, 0600);
	must(mq_send(queue, "child", 5, 9));
	wait_for_restore();
	expect(queue, "child", 9);
	CHECK(mq_receive(queue, (char[30]){ 0 }, 30, NULL) < 0 && errno == EAGAIN);
	CHECK_EQUAL(mq_unlink("/same"), 0);
	return 0;
}

int main(void)
{
	mqd_t queue, unlinked, by_path;
	struct mq_attr attr;
	struct stat st;
	pid_t pid;

	must(unshare(CLONE_NEWIPC | CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("queues", 0700));
	must(mount("mqueue", "queues", "mqueue", 0, NULL));
	queue = make("/closed", 5, 100, 0600);
	must(mq_send(queue, "late", 4, 1));
	must(mq_send(queue, "first", 5, 7));
	must(mq_send(queue, "", 0, 1));
	must(chmod("queues/closed", 0640));
	must(chown("queues/closed", 3, 4));
	close(queue);
	queue = make("/same", 2, 10, 0600);
	must(mq_send(queue, "parent", 6, 0));
	unlinked = make("/gone", 2, 10, 0600);
	must(mq_send(unlinked, "kept", 4, 2));
	must(mq_unlink("/gone"));
	by_path = must(open("queues/same", O_RDWR));
	pid = start_child(child, NULL);

	checkpoint_with(1);

	expect(queue, "parent", 0);
	CHECK_EQUAL(mq_send(queue, "more", 4, 0), 0);
	CHECK_EQUAL(mq_getattr(by_path, &attr), 0);
	CHECK_EQUAL(attr.mq_curmsgs, 1);
	expect(unlinked, "kept", 2);
	must(stat("queues/closed", &st));
	CHECK_EQUAL(st.st_mode & 0777, 0640);
	CHECK(st.st_uid == 3 && st.st_gid == 4);
	queue = must(mq_open("/closed", O_RDWR | O_NONBLOCK));
	must(mq_getattr(queue, &attr));
	CHECK(attr.mq_maxmsg == 5 && attr.mq_msgsize == 100 && attr.mq_curmsgs == 3);
	expect(queue, "first", 7);
	expect(queue, "late", 1);
	expect(queue, "", 1);
	join_child(pid, 0);
	return 0;
}
