// SPDX-License-Identifier: GPL-2.0-only
/* Inotify: on overlayfs, on a link itself, on a renamed file, one inode by two names, masks with flags, shared with a
 * child. */
#include <sys/inotify.h>
#include <sys/mount.h>

#include "subject.h"

SUBJECT()

static int shared, renamed_wd;

static struct inotify_event *next(int fd)
{
	static char buffer[4096] __attribute__((aligned(8)));

	CHECK(read(fd, buffer, sizeof(buffer)) > 0);
	return (struct inotify_event *)buffer;
}

static int work(void *arg)
{
	wait_for_restore();
	must(close(must(open("new-name", O_RDWR))));
	struct inotify_event *event = next(shared);
	CHECK_EQUAL(event->wd, renamed_wd);
	CHECK_EQUAL(event->mask, IN_OPEN);
	return 0;
}

int main(void)
{
	int over = -1, over_wd = -1, under = must(inotify_init1(IN_NONBLOCK));
	char rest[64];

	must(mkdir("lower", 0700));
	must(mkdir("upper", 0700));
	must(mkdir("work", 0700));
	must(mkdir("merged", 0700));
	must(close(must(open("lower/low", O_RDWR | O_CREAT, 0600))));
	if (mount("none", "merged", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work") == 0) {
		over = must(open("merged/low", O_RDONLY));
		over_wd = must(inotify_add_watch(under, "merged/low", IN_CLOSE_WRITE));
	}
	shared = must(inotify_init());
	must(close(must(open("old-name", O_RDWR | O_CREAT, 0600))));
	renamed_wd = must(inotify_add_watch(shared, "old-name", IN_OPEN));
	must(rename("old-name", "new-name"));
	must(symlink("new-name", "link"));
	int on_link = must(inotify_add_watch(under, "link", IN_DELETE_SELF | IN_DONT_FOLLOW));
	must(mkdir("d", 0700));
	int excl = must(inotify_add_watch(under, "d", IN_CREATE | IN_EXCL_UNLINK | IN_ONLYDIR | IN_ISDIR));
	pid_t child = start_child(work, NULL);

	checkpoint_with(1);

	join_child(child, 0);
	CHECK_EQUAL(read(under, rest, sizeof(rest)), -1);
	must(unlink("link"));
	CHECK_EQUAL(next(under)->wd, on_link);
	must(mkdir("d/x", 0700));
	CHECK_EQUAL(next(under)->wd, excl);
	if (over >= 0) {
		must(close(must(open("merged/low", O_RDONLY))));
		must(close(over));
		must(close(must(open("merged/low", O_WRONLY))));
		CHECK_EQUAL(next(under)->wd, over_wd);
		must(close(under));
		must(umount("merged"));
	}
	return 0;
}
