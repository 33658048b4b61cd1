// SPDX-License-Identifier: GPL-2.0-only
/* Inotify watches keep their numbers and masks; the restore itself causes no events. */
#include <sys/inotify.h>

#include "subject.h"

SUBJECT()

static struct inotify_event *next(int fd)
{
	static char buffer[4096] __attribute__((aligned(8)));

	CHECK(read(fd, buffer, sizeof(buffer)) > 0);
	return (struct inotify_event *)buffer;
}

int main(void)
{
	int fd = must(inotify_init1(IN_NONBLOCK));

	must(mkdir("first", 0700));
	must(mkdir("second", 0700));
	must(close(must(open("file", O_RDWR | O_CREAT, 0600))));

	int gone = must(inotify_add_watch(fd, "first", IN_ALL_EVENTS)),
	    second = must(inotify_add_watch(fd, "second", IN_CREATE | IN_MODIFY | IN_DELETE));
	int file = must(inotify_add_watch(fd, "file", IN_MODIFY | IN_ONESHOT)),
	    held = must(open("second/held", O_RDWR | O_CREAT, 0600));

	must(inotify_rm_watch(fd, gone));
	must(write(held, "x", 1));
	next(fd);

	checkpoint();

	char rest[64];

	CHECK_EQUAL(read(fd, rest, sizeof(rest)), -1);
	CHECK_EQUAL(errno, EAGAIN);
	must(mkdir("second/third", 0700));
	CHECK_EQUAL(next(fd)->wd, second);
	must(write(must(open("file", O_RDWR)), "x", 1));
	CHECK_EQUAL(next(fd)->wd, file);
	CHECK_EQUAL(inotify_rm_watch(fd, file), -1);
	CHECK(must(inotify_add_watch(fd, "first", IN_CREATE)) > file);
	return 0;
}
