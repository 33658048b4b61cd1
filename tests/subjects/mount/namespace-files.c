// SPDX-License-Identifier: GPL-2.0-only
/* Files of namespaces that are mounted: of a pid and a user namespace that a child lives in, and of a user namespace
 * around that, in which nobody lives. */
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

static ino_t inode_of(const char *path)
{
	struct stat st;

	CHECK_EQUAL(stat(path, &st), 0);
	return st.st_ino;
}

static int to_parent[2], to_child[2];

static int first(void *arg)
{
	char c;

	must(unshare(CLONE_NEWUSER));
	must(write(to_parent[1], "", 1));
	must(read(to_child[0], &c, 1)); /* the maps are written */
	must(unshare(CLONE_NEWUSER));
	wait_for_restore();
	CHECK_EQUAL(getpid(), 1);
	CHECK_EQUAL(read(to_child[0], &c, 1), 1);
	return 3;
}

static void bind_at(const char *from, const char *to)
{
	close(must(open(to, O_RDWR | O_CREAT, 0600)));
	must(mount(from, to, NULL, MS_BIND, NULL));
}

int main(void)
{
	char user[64], space[64], path[64], c;
	int around;
	struct stat st;
	pid_t pid;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(pipe(to_parent));
	must(pipe(to_child));
	must(unshare(CLONE_NEWPID));
	pid = start_child(first, NULL);
	must(read(to_parent[0], &c, 1));
	write_id_maps(pid, "0 0 10", "0 0 10");
	must(write(to_child[1], "", 1));
	snprintf(user, sizeof(user), "/proc/%d/ns/user", pid);
	snprintf(space, sizeof(space), "/proc/%d/ns/pid", pid);
	await_call(pid, SYS_clock_nanosleep);
	bind_at(space, "pid");
	bind_at(user, "user");
	around = must(ioctl(must(open(user, O_RDONLY)), NS_GET_PARENT));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", around);
	bind_at(path, "around");
	close(around);
	close(around - 1);

	checkpoint_with(1);

	CHECK_EQUAL(inode_of("pid"), inode_of(space));
	CHECK_EQUAL(inode_of("user"), inode_of(user));
	around = must(ioctl(must(open(user, O_RDONLY)), NS_GET_PARENT));
	must(fstat(around, &st));
	CHECK_EQUAL(st.st_ino, inode_of("around"));
	must(write(to_child[1], "", 1));
	join_child(pid, 3);
	return 0;
}
