// SPDX-License-Identifier: GPL-2.0-only
/* Fanotify: marks on a mount and a whole file system, groups that report names, ignored events; permission events still
 * ask. */
#include <poll.h>
#include <pthread.h>
#include <sys/fanotify.h>
#include <sys/mount.h>

#include "subject.h"

SUBJECT()

static char buffer[4096] __attribute__((aligned(8)));

static int group(unsigned flags)
{
	int fd = fanotify_init(flags | FAN_NONBLOCK, O_RDWR | O_LARGEFILE);

	if (fd < 0)
		skip("fanotify_init(0x%x): %s", flags, strerror(errno));
	return fd;
}

static void mark(int fd, unsigned flags, uint64_t mask, const char *path)
{
	must(fanotify_mark(fd, FAN_MARK_ADD | flags, mask, AT_FDCWD, path));
}

/* The mask of the one event that waits. */
static uint64_t next(int fd)
{
	struct fanotify_event_metadata *event = (void *)buffer;
	ssize_t got = read(fd, buffer, sizeof(buffer));

	CHECK(got >= (ssize_t)sizeof(*event));
	CHECK_EQUAL(event->event_len, got);
	if (event->fd >= 0)
		must(close(event->fd));
	return event->mask;
}

static void check_silent(int fd)
{
	CHECK_EQUAL(read(fd, buffer, sizeof(buffer)), -1);
	CHECK_EQUAL(errno, EAGAIN);
}

static void *open_it(void *arg)
{
	return (void *)(intptr_t)open("m/asked", O_RDONLY);
}

int main(void)
{
	int whole = group(FAN_CLASS_NOTIF), mount_ = group(FAN_CLASS_NOTIF),
	    names = group(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME);
	int ask = group(FAN_CLASS_CONTENT);
	pthread_t thread;
	void *result;

	must(mkdir("m", 0700));
	must(mount("none", "m", "tmpfs", 0, ""));
	must(close(must(open("m/file", O_RDWR | O_CREAT, 0600))));
	must(close(must(open("m/quiet", O_RDWR | O_CREAT, 0600))));
	must(close(must(open("m/asked", O_RDWR | O_CREAT, 0600))));
	must(mkdir("m/dir", 0700));
	mark(whole, FAN_MARK_FILESYSTEM, FAN_MODIFY, "m");
	mark(mount_, FAN_MARK_MOUNT, FAN_MODIFY, "m");
	mark(mount_, FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY, FAN_MODIFY, "m/quiet");
	mark(names, 0, FAN_CREATE | FAN_DELETE | FAN_ONDIR, "m/dir");
	mark(ask, 0, FAN_OPEN_PERM, "m/asked");

	checkpoint();

	int file = must(open("m/file", O_RDWR)), quiet = must(open("m/quiet", O_RDWR));

	check_silent(whole);
	must(write(file, "x", 1));
	CHECK_EQUAL(next(whole), FAN_MODIFY);
	CHECK_EQUAL(next(mount_), FAN_MODIFY);
	must(write(quiet, "x", 1));
	CHECK_EQUAL(next(whole), FAN_MODIFY);
	check_silent(mount_);
	must(mkdir("m/dir/new", 0700));
	CHECK_EQUAL(next(names), FAN_CREATE | FAN_ONDIR);
	check_silent(names);
	CHECK_EQUAL(pthread_create(&thread, NULL, open_it, NULL), 0);
	CHECK_EQUAL(poll(&(struct pollfd){ .fd = ask, .events = POLLIN }, 1, -1), 1);
	struct fanotify_event_metadata *event = (void *)buffer;
	CHECK(read(ask, buffer, sizeof(buffer)) > 0);
	CHECK_EQUAL(event->mask, FAN_OPEN_PERM);
	struct fanotify_response no = { event->fd, FAN_DENY };
	must(write(ask, &no, sizeof(no)));
	CHECK_EQUAL(pthread_join(thread, &result), 0);
	CHECK_EQUAL((intptr_t)result, -1);
	must(close(file));
	must(close(quiet));
	must(close(event->fd));
	must(close(whole));
	must(close(mount_));
	must(close(names));
	must(close(ask));
	must(umount("m"));
	return 0;
}
