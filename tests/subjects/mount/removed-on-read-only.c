// SPDX-License-Identifier: GPL-2.0-only
/* Files that were removed before their mounts, or their file system, became read-only. */
#include <sched.h>
#include <sys/mount.h>

#include "subject.h"

SUBJECT()

static int open_removed(const char *path, const char *text)
{
	int fd = must(open(path, O_CREAT | O_WRONLY, 0600));

	CHECK_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	must(close(fd));
	fd = must(open(path, O_RDONLY));
	must(unlink(path));
	return fd;
}

static bool has(int fd, const char *text)
{
	char found[32] = "";
	struct stat st;

	return pread(fd, found, sizeof(found) - 1, 0) == (ssize_t)strlen(text) && !strcmp(found, text) &&
	       fstat(fd, &st) == 0 && st.st_nlink == 0;
}

static bool is_readonly(const char *directory)
{
	int dir = open(directory, O_RDONLY | O_DIRECTORY);

	return openat(dir, "new", O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS && close(dir) == 0;
}

int main(void)
{
	int one, two, fd;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("vol", 0700));
	must(mkdir("again", 0700));
	must(mkdir("whole", 0700));
	must(mount("vol", "vol", "tmpfs", 0, NULL));
	must(mount(NULL, "vol", NULL, MS_SHARED, NULL));
	must(mount("vol", "again", NULL, MS_BIND, NULL));
	one = open_removed("vol/one", "first");
	two = open_removed("again/two", "second");
	must(mount(NULL, "vol", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	must(mount(NULL, "again", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID, NULL));
	must(mount("whole", "whole", "tmpfs", 0, NULL));
	fd = must(open("whole/file", O_CREAT | O_WRONLY, 0600));
	must(close(fd));
	fd = must(open("whole/file", O_RDONLY));
	must(mount(NULL, "whole", NULL, MS_REMOUNT | MS_RDONLY, NULL));

	checkpoint();

	CHECK(has(one, "first") && has(two, "second"));
	CHECK(is_readonly("vol") && is_readonly("again") && is_readonly("whole"));
	return 0;
}
