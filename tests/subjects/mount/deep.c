// SPDX-License-Identifier: GPL-2.0-only
/* A tmpfs keeps directories that lie deeper than what a path can say. */
#include <sched.h>
#include <string.h>
#include <sys/mount.h>

#include "subject.h"

SUBJECT()

#define DEPTH 40

static int go_down(int dir, const char *name, bool make)
{
	int below;

	if (make)
		must(mkdirat(dir, name, 0750));
	below = must(openat(dir, name, O_RDONLY | O_DIRECTORY));
	must(close(dir));
	return below;
}

static int walk(bool make)
{
	int dir = must(open("m", O_RDONLY | O_DIRECTORY));
	char name[201];

	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	for (int i = 0; i < DEPTH; i++)
		dir = go_down(dir, name, make);
	return dir;
}

int main(void)
{
	struct stat st;
	int dir, fd;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("m", 0700));
	must(mount("subject", "m", "tmpfs", 0, NULL));
	dir = walk(true);
	fd = must(openat(dir, "file", O_RDWR | O_CREAT, 0600));
	CHECK_EQUAL(write(fd, "bottom", 6), 6);
	must(linkat(dir, "file", AT_FDCWD, "m/link", 0));
	must(close(fd));
	must(close(dir));

	checkpoint();

	dir = walk(false);
	CHECK(fstat(dir, &st) == 0 && (st.st_mode & 07777) == 0750);
	CHECK(fstatat(dir, "file", &st, 0) == 0 && st.st_size == 6 && st.st_nlink == 2);
	return 0;
}
