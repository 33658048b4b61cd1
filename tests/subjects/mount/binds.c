// SPDX-License-Identifier: GPL-2.0-only
/* Parts of file systems mounted elsewhere, single files, mounts upon mounts, and the flags of each. */
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

static unsigned long flags_of(const char *name)
{
	struct statvfs fs;

	CHECK(statvfs(name, &fs) == 0);
	return fs.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_NOATIME | ST_RELATIME);
}

int main(void)
{
	int below;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("t", 0700));
	must(mkdir("part", 0700));
	must(mkdir("real", 0700));
	must(mkdir("real/in", 0700));
	must(mkdir("again", 0700));
	write_text("one", "under");
	write_text("real/in/file", "disk");
	must(mount("first", "t", "tmpfs", 0, NULL));
	must(mkdir("t/sub", 0700));
	must(mkdir("t/sub/deep", 0700));
	write_text("t/sub/file", "memory");
	/* A directory of the tmpfs, read-only; a file of it; a directory of the disk. */
	must(mount("t/sub", "part", NULL, MS_BIND, NULL));
	must(mount(NULL, "part", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME,
		   NULL));
	must(mount("t/sub/file", "one", NULL, MS_BIND, NULL));
	must(mount("real/in", "again", NULL, MS_BIND, NULL));
	/* Two upon each other, one below that they hide. */
	must(mount("deep", "t/sub/deep", "tmpfs", 0, NULL));
	write_text("t/sub/deep/hidden", "hidden");
	below = must(open("t/sub/deep", O_RDONLY | O_DIRECTORY));
	must(mount("second", "t", "tmpfs", MS_RDONLY, "mode=755"));
	must(mount("third", "t", "tmpfs", 0, NULL));
	write_text("t/top", "top");
	must(close(below));

	checkpoint();

	CHECK(reads_text("part/file", "memory") && reads_text("one", "memory") && reads_text("again/file", "disk") &&
	      reads_text("t/top", "top"));
	CHECK(flags_of("part") == (ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_NOATIME));
	CHECK(flags_of("again") == ST_RELATIME || flags_of("again") == 0);
	CHECK(open("part/new", O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS);
	/* The same file still. */
	write_text("again/new", "new");
	CHECK(reads_text("real/in/new", "new"));
	CHECK(umount("t") == 0);
	CHECK(flags_of("t") & ST_RDONLY);
	CHECK(umount("t") == 0);
	CHECK(reads_text("t/sub/file", "memory") && reads_text("t/sub/deep/hidden", "hidden"));
	write_text("t/sub/other", "other");
	CHECK(reads_text("part/other", "other"));
	CHECK(umount("one") == 0 && reads_text("one", "under"));
	return 0;
}
