// SPDX-License-Identifier: GPL-2.0-only
/* What was removed while it was mounted elsewhere: files and directories of a disk and of a tmpfs, one of them mounted
 * twice, one open, and as systemd-nspawn masks files: a fifo, one of which only a hidden mount is left, and one that is
 * hidden as well as seen. */
#include <sched.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include "subject.h"

SUBJECT()

#define BIG (3u << 20)

static void put(const char *name, const char *text)
{
	int fd = must(open(name, O_WRONLY | O_CREAT | O_EXCL, 0640));

	CHECK_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	must(close(fd));
}

static void check_text(const char *name, const char *wanted)
{
	char text[32] = "";
	struct stat st;
	int fd = open(name, O_RDONLY);

	CHECK(fd >= 0);
	CHECK(read(fd, text, sizeof(text) - 1) >= 0);
	CHECK(!strcmp(text, wanted));
	CHECK(fstat(fd, &st) == 0);
	CHECK_EQUAL(st.st_nlink, 0u);
	CHECK_EQUAL(st.st_mode & 07777, 0640u);
	CHECK_EQUAL(st.st_uid, 12u);
	CHECK_EQUAL(st.st_mtime, 1000);
	CHECK_EQUAL(close(fd), 0);
}

static void bind_file(const char *from, const char *to)
{
	put(to, "below");
	must(mount(from, to, NULL, MS_BIND, NULL));
}

static void age(const char *name)
{
	const struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };

	must(chown(name, 12, 34));
	must(utimensat(AT_FDCWD, name, times, 0));
}

static int build(void)
{
	int fd, open_fd;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("t", 0700));
	must(mount("t", "t", "tmpfs", 0, NULL));
	/* On the disk, mounted twice and open. */
	put("source", "disk");
	bind_file("source", "here");
	bind_file("source", "there");
	open_fd = must(open("here", O_RDWR));
	age("source");
	must(unlink("source"));
	/* In the tmpfs, on itself. */
	put("t/source", "tmpfs");
	bind_file("t/source", "t/here");
	age("t/source");
	must(unlink("t/source"));
	/* Directories. */
	must(mkdir("dir", 0711));
	must(mkdir("dir-here", 0700));
	must(mount("dir", "dir-here", NULL, MS_BIND, NULL));
	must(chown("dir", 12, 34));
	must(rmdir("dir"));
	must(mkdir("t/dir", 01777));
	must(chmod("t/dir", 01777));
	must(mkdir("t/dir-here", 0700));
	must(mount("t/dir", "t/dir-here", NULL, MS_BIND | MS_RDONLY, NULL));
	must(rmdir("t/dir"));
	/* Large and sparse, its name is that of another file by now. */
	fd = must(open("large", O_RDWR | O_CREAT | O_EXCL, 0600));
	must(ftruncate(fd, BIG));
	CHECK_EQUAL(pwrite(fd, "end", 3, BIG - 3), 3);
	must(close(fd));
	bind_file("large", "large-here");
	must(unlink("large"));
	put("large", "another");
	return open_fd;
}

static void mask(void)
{
	must(mkfifo("t/fifo", 0640));
	bind_file("t/fifo", "t/fifo-here");
	age("t/fifo");
	must(unlink("t/fifo"));
	must(mkdir("t/over", 0755));
	put("t/over/hidden", "hidden");
	put("t/one", "one");
	must(mount("t/one", "t/over/hidden", NULL, MS_BIND, NULL));
	age("t/one");
	put("t/over/both", "both");
	put("t/two", "two");
	must(mount("t/two", "t/over/both", NULL, MS_BIND, NULL));
	must(mount("t/over", "t/over", NULL, MS_BIND, NULL));
	must(mount("t/two", "t/over/both", NULL, MS_BIND, NULL));
	age("t/two");
	must(unlink("t/one"));
	must(unlink("t/two"));
}

static void check_masks(void)
{
	struct stat st;

	CHECK(stat("t/fifo-here", &st) == 0);
	CHECK(S_ISFIFO(st.st_mode));
	CHECK_EQUAL(st.st_mode & 07777, 0640u);
	CHECK_EQUAL(st.st_nlink, 0u);
	CHECK_EQUAL(st.st_uid, 12u);
	check_text("t/over/both", "two");
	CHECK(umount("t/over/both") == 0 && umount("t/over") == 0);
	check_text("t/over/both", "two");
	check_text("t/over/hidden", "one");
	CHECK(umount("t/over/both") == 0 && umount("t/over/hidden") == 0 && umount("t/fifo-here") == 0);
}

int main(void)
{
	int open_fd = build(), fd;
	struct stat st, again;
	char text[8] = "";

	mask();
	checkpoint();

	check_text("here", "disk");
	check_text("there", "disk");
	check_text("t/here", "tmpfs");
	check_masks();
	CHECK(access("source", F_OK) < 0 && access("t/source", F_OK) < 0 && access("dir", F_OK) < 0 &&
	      access("t/dir", F_OK) < 0);
	CHECK(fstat(open_fd, &st) == 0 && stat("there", &again) == 0);
	CHECK_EQUAL(st.st_ino, again.st_ino);
	CHECK_EQUAL(pwrite(open_fd, "DISK", 4, 0), 4);
	fd = open("there", O_RDONLY);
	CHECK_EQUAL(read(fd, text, 7), 4);
	CHECK(!strcmp(text, "DISK"));
	CHECK(stat("dir-here", &st) == 0);
	CHECK_EQUAL(st.st_mode & 07777, 0711u);
	CHECK_EQUAL(st.st_uid, 12u);
	CHECK(mkdir("dir-here/new", 0700) < 0 && errno == ENOENT); /* nothing can be made in it */
	CHECK(stat("t/dir-here", &st) == 0);
	CHECK_EQUAL(st.st_mode & 07777, 01777u);
	fd = open("large-here", O_RDONLY);
	CHECK(fstat(fd, &st) == 0);
	CHECK_EQUAL(st.st_size, BIG);
	CHECK(st.st_blocks < 1000);
	CHECK_EQUAL(pread(fd, text, 3, BIG - 3), 3);
	CHECK(!strncmp(text, "end", 3));
	CHECK_EQUAL(close(fd), 0);
	CHECK(umount("large-here") == 0 && umount("dir-here") == 0 && umount("t/dir-here") == 0 &&
	      umount("t/here") == 0);
	return 0;
}
