// SPDX-License-Identifier: GPL-2.0-only
/* A tmpfs in a mount namespace of its own keeps its files: data, holes, links, owners, times, attributes, nodes; and
 * files open in it. */
#include <sched.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

static struct stat look(const char *name)
{
	struct stat st;

	CHECK(lstat(name, &st) == 0);
	return st;
}

static void build(void)
{
	const struct timespec times[2] = { { 1000000000, 123456789 }, { 1100000000, 987654321 } };
	int fd;

	must(mkdir("m/dir", 0751));
	write_text("m/dir/file", "content");
	must(chown("m/dir/file", 12, 34));
	must(chmod("m/dir/file", 04755));
	must(setxattr("m/dir/file", "trusted.subject", "value", 5, 0));
	must(link("m/dir/file", "m/link"));
	must(symlink("dir/file", "m/symbolic"));
	must(mkfifo("m/fifo", 0640));
	must(mknod("m/null", S_IFCHR | 0666, makedev(1, 3)));
	fd = must(open("m/hole", O_WRONLY | O_CREAT | O_EXCL, 0600));
	must(pwrite(fd, "x", 1, 1 << 20));
	must(ftruncate(fd, 4 << 20));
	must(close(fd));
	must(utimensat(AT_FDCWD, "m/dir/file", times, 0));
	must(utimensat(AT_FDCWD, "m/dir", times, 0));
}

static void check_files(void)
{
	struct stat file = look("m/dir/file"), hole = look("m/hole"), dir = look("m/dir");
	char text[16] = "";

	CHECK(S_ISREG(file.st_mode) && (file.st_mode & 07777) == 04755);
	CHECK(file.st_uid == 12 && file.st_gid == 34 && file.st_nlink == 2 && file.st_size == 7);
	CHECK(file.st_mtim.tv_sec == 1100000000 && file.st_mtim.tv_nsec == 987654321);
	CHECK((dir.st_mode & 07777) == 0751 && dir.st_mtim.tv_sec == 1100000000);
	CHECK(look("m/link").st_ino == file.st_ino);
	CHECK_EQUAL(getxattr("m/dir/file", "trusted.subject", text, sizeof(text)), 5);
	CHECK(memcmp(text, "value", 5) == 0);
	CHECK_EQUAL(readlink("m/symbolic", text, sizeof(text)), 8);
	CHECK((look("m/fifo").st_mode & (S_IFMT | 07777)) == (S_IFIFO | 0640));
	CHECK(look("m/null").st_rdev == makedev(1, 3));
	CHECK(hole.st_size == 4 << 20 && hole.st_blocks * 512 < 1 << 20);
}

int main(void)
{
	int fd, gone, byte;
	struct statfs fs;
	char text[16] = "";
	char *map;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("m", 0700));
	must(mount("subject", "m", "tmpfs", MS_NOSUID | MS_NODIRATIME, "size=16m,mode=711"));
	build();
	fd = must(open("m/dir/file", O_RDWR));
	must(lseek(fd, 3, SEEK_SET));
	gone = must(open("m/gone", O_RDWR | O_CREAT, 0600));
	CHECK_EQUAL(write(gone, "gone", 4), 4);
	must(unlink("m/gone"));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	byte = must(open("m/hole", O_RDONLY));
	must(chdir("m/dir"));

	checkpoint();

	CHECK(look("file").st_ino == look("../link").st_ino);
	must(chdir("../.."));
	check_files();
	CHECK(statfs("m", &fs) == 0 && fs.f_type == 0x01021994 && fs.f_blocks * (uint64_t)fs.f_bsize == 16 << 20);
	CHECK(fs.f_flags & ST_NOSUID && fs.f_flags & ST_NODIRATIME);
	CHECK((look("m").st_mode & 07777) == 0711);
	CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 3);
	map[0] = 'C';
	CHECK_EQUAL(pread(fd, text, sizeof(text), 0), 7);
	CHECK(memcmp(text, "Content", 7) == 0);
	CHECK_EQUAL(pread(gone, text, sizeof(text), 0), 4);
	CHECK_EQUAL(pread(byte, text, 1, 1 << 20), 1);
	CHECK(text[0] == 'x' && access("m/gone", F_OK) < 0);
	/* Nobody outside sees it. */
	CHECK(umount2("m", MNT_DETACH) == 0 && access("m/dir", F_OK) < 0);
	return 0;
}
