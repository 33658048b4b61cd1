// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts that hang nowhere: the current directory and files on one of umount -l, a file system of fsmount(2) and a part
 * of it by open_tree(2), that are attached after the restore.
 */
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

static int call_open_tree(int dir, const char *path, unsigned flags)
{
	return (int)syscall(SYS_open_tree, dir, path, flags | 1 /* OPEN_TREE_CLONE */);
}

static int make_tmpfs(void)
{
	int context = must((int)syscall(SYS_fsopen, "tmpfs", 0)), fd;

	must(syscall(SYS_fsconfig, context, 1 /* FSCONFIG_SET_STRING */, "size", "1m", 0));
	must(syscall(SYS_fsconfig, context, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0));
	fd = must((int)syscall(SYS_fsmount, context, 0, MOUNT_ATTR_NODEV));
	close(context);
	return fd;
}

static void write_at(int dir, const char *name, const char *text)
{
	int fd = must(openat(dir, name, O_RDWR | O_CREAT, 0600));

	must(write(fd, text, strlen(text)));
	close(fd);
}

static void check_at(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_RDONLY);

	CHECK(fd >= 0 && has_text(fd, text));
	close(fd);
}

static void attach(int fd, const char *to)
{
	CHECK_EQUAL(syscall(SYS_move_mount, fd, "", AT_FDCWD, to, 4 /* MOVE_MOUNT_F_EMPTY_PATH */), 0);
}

int main(void)
{
	int below, file, made, part, made_file, bound;
	char home[256], path[300];

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK(getcwd(home, sizeof(home)));
	for (const char *const *name = (const char *const[]){ "place", "other", "bound", "attached", "part", NULL };
	     *name; name++)
		must(mkdir(*name, 0700));

	write_text("bound/file", "of the root");
	must(mount("bound", "other", NULL, MS_BIND, NULL));
	bound = must(open("other", O_RDONLY | O_DIRECTORY));
	must(umount2("other", MNT_DETACH));

	made = make_tmpfs();
	must(mkdirat(made, "dir", 0700));
	write_at(made, "dir/inner", "made");
	made_file = must(openat(made, "dir/inner", O_RDONLY));
	part = call_open_tree(made, "dir", 0); /* Linux 6.15 */

	must(mount("x", "place", "tmpfs", 0, "size=2m"));
	must(mkdir("place/sub", 0711));
	write_text("place/file", "lazily");
	write_text("place/sub/below", "deeper");
	file = must(open("place/file", O_RDWR));
	below = must(open("place/sub", O_RDONLY | O_DIRECTORY));
	must(chdir("place"));
	snprintf(path, sizeof(path), "%s/place", home);
	must(umount2(path, MNT_DETACH));

	checkpoint();

	CHECK(has_text(file, "lazily"));
	check_at(AT_FDCWD, "file", "lazily");
	check_at(below, "below", "deeper");
	check_at(AT_FDCWD, "sub/below", "deeper");
	CHECK_EQUAL(mount_of(file), mount_of(below));
	write_at(AT_FDCWD, "new", "new");
	check_at(below, "../new", "new");
	CHECK(syscall(SYS_getcwd, path, sizeof(path)) > 0 && !strcmp(path, "(unreachable)/"));
	check_at(bound, "file", "of the root");
	check_at(made, "dir/inner", "made");
	CHECK(has_text(made_file, "made"));
	CHECK_EQUAL(mount_of(made_file), mount_of(made));
	CHECK_EQUAL(chdir(home), 0);
	attach(made, "attached");
	CHECK(reads_text("attached/dir/inner", "made"));
	if (part < 0)
		return 0;
	check_at(part, "inner", "made");
	attach(part, "part");
	write_text("part/inner", "in both");
	CHECK(reads_text("attached/dir/inner", "in both"));
	return 0;
}
