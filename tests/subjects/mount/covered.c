// SPDX-License-Identifier: GPL-2.0-only
/* Files, directories and mappings on mounts that others cover, at the same place or above, are on them still. */
#include <sched.h>
#include <sys/mount.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

int main(void)
{
	int low, deep, dir, high;
	char *map;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("a", 0700));
	must(mkdir("b", 0700));
	/* The same again upon it, read-only. */
	must(mount("low", "a", "tmpfs", 0, NULL));
	low = open_with_text("a/file", "low");
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, low, 0);
	CHECK(map != MAP_FAILED);
	must(mount("a", "a", NULL, MS_BIND, NULL));
	must(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	/* Something else upon a directory above, and upon the whole. */
	must(mount("deep", "b", "tmpfs", 0, NULL));
	must(mkdir("b/in", 0700));
	must(mkdir("b/in/dir", 0700));
	deep = open_with_text("b/in/dir/file", "deep");
	dir = must(open("b/in/dir", O_RDONLY | O_DIRECTORY));
	must(mount("x", "b/in", "tmpfs", 0, NULL));
	must(mount("y", "b", "tmpfs", 0, NULL));

	checkpoint();

	CHECK(has_text(low, "low") && has_text(deep, "deep") && map[0] == 'l');
	CHECK_EQUAL(pwrite(low, "L", 1, 0), 1);
	CHECK(map[0] == 'L');
	high = open("a/file", O_RDONLY);
	CHECK(has_text(high, "Low") && mount_of(low) != mount_of(high));
	CHECK(open("a/file", O_RDWR) < 0 && errno == EROFS);
	CHECK(has_text(openat(dir, "file", O_RDONLY), "deep") && mount_of(dir) == mount_of(deep));
	CHECK(access("b/in", F_OK) < 0);
	CHECK(close(high) == 0 && umount("a") == 0 && umount("b") == 0 && umount("b/in") == 0);
	CHECK(has_text(open("b/in/dir/file", O_RDONLY), "deep"));
	return 0;
}
