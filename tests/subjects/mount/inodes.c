// SPDX-License-Identifier: GPL-2.0-only
/* Files of a tmpfs keep their inode numbers, whatever the order they were made in and whatever was removed; new ones
 * get others. */
#include <sched.h>
#include <sys/mount.h>

#include "subject.h"

SUBJECT()

#define N_FILES 300

static ino_t inode_of(const char *name)
{
	struct stat st;

	CHECK(lstat(name, &st) == 0);
	return st.st_ino;
}

static void print_name(unsigned i, char to[32])
{
	snprintf(to, 32, "m/%s%u", i % 3 ? "" : "dir/", i);
}

static void make(unsigned i)
{
	char name[32];

	print_name(i, name);
	if (i % 10 == 4)
		must(mkdir(name, 0700));
	else if (i % 10 == 5)
		must(symlink("nowhere", name));
	else
		must(mknod(name, (i % 10 == 6 ? S_IFIFO : S_IFREG) | 0600, 0));
}

int main(void)
{
	static ino_t before[N_FILES];
	char name[32];
	ino_t dir, first;
	int fd;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("m", 0700));
	must(mount("subject", "m", "tmpfs", 0, NULL));
	must(mkdir("m/later", 0700));
	must(mkdir("m/dir", 0700));
	first = inode_of("m/later");
	for (unsigned i = 0; i < N_FILES; i++)
		make(i);
	for (unsigned i = 1; i < N_FILES; i += 7) {
		print_name(i, name);
		must(remove(name));
	}
	/* A directory younger than what is in it, and a file with two names. */
	must(mkdir("m/young", 0700));
	must(rename("m/dir/3", "m/young/3"));
	must(link("m/dir/0", "m/young/0"));
	dir = inode_of("m/young");
	for (unsigned i = 0; i < N_FILES; i++) {
		print_name(i, name);
		before[i] = access(name, F_OK) == 0 ? inode_of(name) : 0;
	}
	fd = must(open("m/dir/9", O_RDWR));

	checkpoint();

	for (unsigned i = 0; i < N_FILES; i++) {
		print_name(i, name);
		CHECK(before[i] == (access(name, F_OK) == 0 ? inode_of(name) : 0));
	}
	CHECK_EQUAL(inode_of("m/later"), first);
	CHECK(inode_of("m/young") == dir && inode_of("m/young/0") == inode_of("m/dir/0"));
	CHECK(close(fd) == 0 && close(open("m/new", O_CREAT | O_WRONLY, 0600)) == 0);
	CHECK(inode_of("m/new") > dir);
	return 0;
}
