// SPDX-License-Identifier: GPL-2.0-only
/* Deleted files and directories keep their extended attributes and what chattr(1) sets. */
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include "subject.h"

SUBJECT()

#define KEPT (FS_NODUMP_FL | FS_NOATIME_FL)

int main(void)
{
	int file = must(open("file", O_RDWR | O_CREAT, 0640)), folder, flags = 0;
	char value[8];
	bool has_flags, has_user;

	must(mkdir("folder", 0700));
	folder = must(open("folder", O_RDONLY | O_DIRECTORY));
	has_user = fsetxattr(file, "user.a", "one", 3, 0) == 0;
	must(fsetxattr(file, "trusted.b", "", 0, 0));
	must(fsetxattr(folder, "trusted.c", "two", 3, 0));
	has_flags = ioctl(file, FS_IOC_GETFLAGS, &flags) == 0;
	flags |= KEPT;
	has_flags = has_flags && ioctl(file, FS_IOC_SETFLAGS, &flags) == 0;
	must(unlink("file"));
	must(rmdir("folder"));

	checkpoint();

	CHECK(!has_user || (fgetxattr(file, "user.a", value, sizeof(value)) == 3 && memcmp(value, "one", 3) == 0));
	CHECK(fgetxattr(file, "trusted.b", value, sizeof(value)) == 0);
	CHECK(fgetxattr(folder, "trusted.c", value, sizeof(value)) == 3 && memcmp(value, "two", 3) == 0);
	flags = 0;
	CHECK(!has_flags || (ioctl(file, FS_IOC_GETFLAGS, &flags) == 0 && (flags & KEPT) == KEPT));
	return 0;
}
