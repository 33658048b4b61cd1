// SPDX-License-Identifier: GPL-2.0-only
/* Files of a tmpfs keep what chattr(1) has set, also those that were open for writing before, or lie below other
 * mounts. */
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "subject.h"

SUBJECT()

static int flags_of(const char *name)
{
	int fd = must(open(name, O_RDONLY)), flags = 0;

	CHECK(ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0);
	must(close(fd));
	return flags & (FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL);
}

static void set_flags(const char *name, int flags)
{
	int fd = must(open(name, O_RDONLY));

	if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
		skip("this kernel has no such flags on tmpfs");
	must(close(fd));
}

int main(void)
{
	int fd;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("m", 0700));
	must(mount("subject", "m", "tmpfs", 0, NULL));
	must(mkdir("m/shut", 0700));
	must(mkdir("m/covered", 0700));
	fd = must(open("m/shut/fixed", O_RDWR | O_CREAT, 0600));
	must(link("m/shut/fixed", "m/other"));
	must(close(must(open("m/log", O_RDWR | O_CREAT, 0600))));
	must(close(must(open("m/covered/file", O_RDWR | O_CREAT, 0600))));
	set_flags("m/log", FS_APPEND_FL | FS_NOATIME_FL);
	set_flags("m/covered/file", FS_NODUMP_FL);
	set_flags("m/shut/fixed", FS_IMMUTABLE_FL);
	set_flags("m/shut", FS_IMMUTABLE_FL);
	must(mount("over", "m/covered", "tmpfs", 0, NULL));

	checkpoint();

	CHECK_EQUAL(write(fd, "x", 1), 1);
	CHECK_EQUAL(flags_of("m/shut/fixed"), FS_IMMUTABLE_FL);
	CHECK_EQUAL(flags_of("m/other"), FS_IMMUTABLE_FL);
	CHECK_EQUAL(flags_of("m/shut"), FS_IMMUTABLE_FL);
	CHECK_EQUAL(flags_of("m/log"), FS_APPEND_FL | FS_NOATIME_FL);
	must(umount("m/covered"));
	CHECK_EQUAL(flags_of("m/covered/file"), FS_NODUMP_FL);
	return 0;
}
