// SPDX-License-Identifier: GPL-2.0-only
/* Inotify on overlayfs, which has no file handles: a directory and a file that nobody has open are found where they
 * lie, also one that came from the lower layer. */
#include <sys/inotify.h>
#include <sys/mount.h>

#include "subject.h"

SUBJECT()

static void make(const char *name)
{
	must(close(must(open(name, O_RDWR | O_CREAT, 0600))));
}

static void check_event(int fd, int wd, uint32_t mask)
{
	char buffer[4096] __attribute__((aligned(8)));
	struct inotify_event *event = (struct inotify_event *)buffer;

	CHECK(read(fd, buffer, sizeof(buffer)) > 0);
	CHECK_EQUAL(event->wd, wd);
	CHECK_EQUAL(event->mask & mask, mask);
}

int main(void)
{
	char cwd[200], options[1000];
	int fd = must(inotify_init1(IN_NONBLOCK)), low, folder, file;

	must(mkdir("lower", 0700));
	must(mkdir("lower/low", 0700));
	must(mkdir("upper", 0700));
	must(mkdir("work", 0700));
	must(mkdir("merged", 0700));
	must(getcwd(cwd, sizeof(cwd)) ? 0 : -1);
	snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", cwd, cwd, cwd);
	if (mount("none", "merged", "overlay", 0, options) < 0)
		skip("no overlay file systems here");
	must(mkdir("merged/a", 0700));
	must(mkdir("merged/a/b", 0700));
	make("merged/a/file");
	low = must(inotify_add_watch(fd, "merged/low", IN_CREATE));
	folder = must(inotify_add_watch(fd, "merged/a/b", IN_CREATE));
	file = must(inotify_add_watch(fd, "merged/a/file", IN_OPEN));

	checkpoint();

	make("merged/low/x");
	check_event(fd, low, IN_CREATE);
	make("merged/a/b/x");
	check_event(fd, folder, IN_CREATE);
	make("merged/a/file");
	check_event(fd, file, IN_OPEN);
	must(umount("merged"));
	return 0;
}
