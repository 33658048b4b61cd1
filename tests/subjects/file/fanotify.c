// SPDX-License-Identifier: GPL-2.0-only
/* Fanotify marks on inodes and mounts keep their masks. */
#include <sys/fanotify.h>

#include "subject.h"

SUBJECT()

static uint64_t next(int fd)
{
	static char buffer[4096] __attribute__((aligned(8)));
	struct fanotify_event_metadata *event = (void *)buffer;

	CHECK(read(fd, buffer, sizeof(*event)) == sizeof(*event));
	must(close(event->fd));
	return event->mask;
}

int main(void)
{
	int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY | O_LARGEFILE);
	char rest[64];

	if (fd < 0)
		skip("fanotify_init: %s", strerror(errno));
	must(close(must(open("file", O_RDWR | O_CREAT, 0600))));
	must(close(must(open("ignored", O_RDWR | O_CREAT, 0600))));
	must(mkdir("dir", 0700));
	must(fanotify_mark(fd, FAN_MARK_ADD, FAN_MODIFY, AT_FDCWD, "file"));
	must(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN | FAN_EVENT_ON_CHILD, AT_FDCWD, "dir"));

	checkpoint();

	CHECK_EQUAL(read(fd, rest, sizeof(rest)), -1);
	CHECK_EQUAL(errno, EAGAIN);

	int file = must(open("file", O_RDWR));

	CHECK_EQUAL(read(fd, rest, sizeof(rest)), -1);
	must(write(file, "x", 1));
	CHECK_EQUAL(next(fd), FAN_MODIFY);
	must(close(must(open("dir/new", O_RDWR | O_CREAT, 0600))));
	CHECK_EQUAL(next(fd), FAN_OPEN);
	return 0;
}
