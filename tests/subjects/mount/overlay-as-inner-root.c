// SPDX-License-Identifier: GPL-2.0-only
/* Containers in a container: an overlay that the first process has mounted is the root of another one, and a part of it
 * that of a third. */
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

/* The directory of the runner is out of sight in there. */
static void await_word(int fd)
{
	char word;

	CHECK_EQUAL(read(fd, &word, 1), 1);
}

static void say_word(int fd)
{
	CHECK_EQUAL(write(fd, "x", 1), 1);
}

/* What is mounted there becomes the root; what it was is gone. */
static void take_root(const char *path)
{
	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mount(path, path, NULL, MS_BIND, NULL));
	must(chdir(path));
	must(syscall(SYS_pivot_root, ".", "."));
	must(umount2(".", MNT_DETACH));
	must(chdir("/"));
}

static int live_in_whole(void *arg)
{
	char text[32] = "";
	int fd;

	must(mount("merged", "whole", NULL, MS_BIND, NULL));
	take_root("whole");
	must(mount("tmp", "/tmp", "tmpfs", 0, NULL));
	must(mount("/part", "/tmp", NULL, MS_BIND, NULL));
	fd = must(open("/changed", O_RDWR));
	say_word(*(int *)arg);
	await_word(*(int *)arg);
	CHECK(reads_text("/kept", "kept") && reads_text("/tmp/low", "low"));
	CHECK(read(fd, text, sizeof(text)) == 3 && !memcmp(text, "new", 3));
	CHECK(umount("/tmp") == 0 && access("/tmp/low", F_OK) < 0);
	write_text("/from-whole", "whole");
	return 0;
}

static int live_in_part(void *arg)
{
	take_root("merged/part");
	say_word(*(int *)arg);
	await_word(*(int *)arg);
	CHECK(reads_text("/low", "low") && access("/kept", F_OK) < 0);
	write_text("/from-part", "part");
	return 0;
}

int main(void)
{
	char cwd[200], options[1000];
	int to_whole[2], to_part[2];
	pid_t whole, part;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(getcwd(cwd, sizeof(cwd)) ? 0 : -1);
	must(mkdir("m", 0700));
	must(mount("layers", "m", "tmpfs", 0, NULL));
	must(mkdir("m/low", 0755));
	must(mkdir("m/low/tmp", 0755));
	must(mkdir("m/low/part", 0755));
	must(mkdir("m/up", 0755));
	must(mkdir("m/work", 0755));
	must(mkdir("merged", 0755));
	must(mkdir("whole", 0755));
	write_text("m/low/kept", "kept");
	write_text("m/low/changed", "old");
	write_text("m/low/part/low", "low");
	snprintf(options, sizeof(options), "lowerdir=%s/m/low,upperdir=%s/m/up,workdir=%s/m/work", cwd, cwd, cwd);
	if (mount("overlay", "merged", "overlay", 0, options) < 0)
		skip("no overlay file systems here");
	write_text("merged/changed", "new");
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, to_whole));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, to_part));
	whole = start_child(live_in_whole, &to_whole[1]);
	part = start_child(live_in_part, &to_part[1]);
	await_word(to_whole[0]);
	await_word(to_part[0]);

	checkpoint();

	say_word(to_whole[0]);
	say_word(to_part[0]);
	join_child(whole, 0);
	join_child(part, 0);
	CHECK(reads_text("merged/from-whole", "whole") && reads_text("merged/part/from-part", "part"));
	CHECK(reads_text("m/up/from-whole", "whole") && reads_text("m/up/part/from-part", "part"));
	return 0;
}
