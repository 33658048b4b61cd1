// SPDX-License-Identifier: GPL-2.0-only
/*
 * User namespaces within each other: a process has a child that stayed outside, one with other ids, and one that lives
 * three deep. In another one nobody lives any more, as it is left behind by bwrap(1).
 */
#include <grp.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/utsname.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

#define MAP "         0       5000        100\n       100          0          1\n"

static ino_t inode_of(int fd)
{
	struct stat st;

	must(fstat(fd, &st));
	close(fd);
	return st.st_ino;
}

static ino_t inode_at(const char *path)
{
	return inode_of(must(open(path, O_RDONLY | O_CLOEXEC)));
}

/* How many user namespaces the other process lives below ours. */
static int depth_of(pid_t pid)
{
	ino_t own = inode_at("/proc/thread-self/ns/user");
	char path[64];
	int fd, around, n = 0;
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = must(open(path, O_RDONLY | O_CLOEXEC));
	for (;; n++) {
		must(fstat(fd, &st));
		if (st.st_ino == own)
			break;
		around = must(ioctl(fd, NS_GET_PARENT));
		close(fd);
		fd = around;
	}
	close(fd);
	return n;
}

static void check_text(const char *path, const char *wanted)
{
	char text[256] = "";
	int fd = must(open(path, O_RDONLY | O_CLOEXEC));

	must(read(fd, text, sizeof(text) - 1));
	close(fd);
	CHECK(!strcmp(text, wanted));
}

static void check_ids(uid_t real, uid_t effective, gid_t gid)
{
	uid_t ids[3];

	must(getresuid(&ids[0], &ids[1], &ids[2]));
	CHECK_EQUAL(ids[0], real);
	CHECK_EQUAL(ids[1], effective);
	CHECK_EQUAL(getgid(), gid);
}

/* Goes into a new user namespace; the parent writes its maps. */
static void enter(const int to_parent[2], const int to_child[2])
{
	char c;

	must(unshare(CLONE_NEWUSER));
	must(prctl(PR_SET_DUMPABLE, 1));
	must(write(to_parent[1], "", 1));
	must(read(to_child[0], &c, 1));
	must(setresgid(0, 0, 0));
	must(setresuid(0, 0, 0));
	must(prctl(PR_SET_DUMPABLE, 1)); /* else its files in /proc are those of others */
}

/* The parent has had its look at us. */
static void await_look(const int to_child[2])
{
	char c;

	must(read(to_child[0], &c, 1));
}

static int outside(void *arg)
{
	wait_for_restore();
	check_ids(0, 0, 0);
	return *(pid_t *)arg == getppid() ? 3 : 4;
}

static int other_ids(void *arg)
{
	gid_t groups[] = { 5, 100 }, found[4];
	const int *to_child = arg;

	must(setgroups(2, groups));
	must(setresgid(9, 100, 8));
	must(setresuid(7, 0, 20));
	must(prctl(PR_SET_DUMPABLE, 1));
	wait_for_restore();
	await_look(to_child);
	check_ids(7, 0, 9);
	CHECK_EQUAL(getgroups(4, found), 2);
	CHECK(found[0] + found[1] == 105); /* the kernel sorts them by what they are outside */
	CHECK_EQUAL(setresuid(20, 20, 20), 0);
	return 3;
}

/* By the depth of the namespace that has them. */
static const char *const user_maps[] = { [1] = MAP,
					 "         0          2         20\n        30         40          5\n",
					 "         0          3         10\n        11         31          2\n" };
static const char *const group_maps[] = { [1] = MAP, "0 3 20\n", "0 4 5\n" };

struct deep {
	int to_parent[2], to_child[2], depth;
};

static void check_names(const char *name)
{
	struct utsname names;

	CHECK(!uname(&names) && !strcmp(names.nodename, name));
	CHECK_EQUAL(inode_of(must(ioctl(must(open("/proc/thread-self/ns/uts", O_RDONLY | O_CLOEXEC)), NS_GET_USERNS))),
		    inode_at("/proc/thread-self/ns/user"));
}

static int deep(void *arg)
{
	struct deep *own = arg, below = { .depth = own->depth + 1 };
	char name[16], c;
	pid_t pid = 0;

	enter(own->to_parent, own->to_child);
	must(unshare(CLONE_NEWUTS));
	snprintf(name, sizeof(name), "deep%d", own->depth);
	must(sethostname(name, strlen(name)));
	if (own->depth < 3) {
		must(pipe(below.to_parent));
		must(pipe(below.to_child));
		pid = start_child(deep, &below);
		must(read(below.to_parent[0], &c, 1));
		write_id_maps(pid, user_maps[below.depth], group_maps[below.depth]);
		must(write(below.to_child[1], "", 1));
	}
	wait_for_restore();
	check_ids(0, 0, 0);
	check_names(name);
	check_text("/proc/thread-self/uid_map", user_maps[own->depth]);
	if (pid) {
		CHECK_EQUAL(depth_of(pid), 1);
		must(write(below.to_child[1], "", 1));
		join_child(pid, 3);
	}
	await_look(own->to_child);
	return 3;
}

static int first(void *arg)
{
	struct deep *own = arg, below = { .depth = 2 };
	pid_t self = getpid(), pids[3];
	int to_other[2];
	char c;

	pids[0] = start_child(outside, &self);
	enter(own->to_parent, own->to_child);
	must(pipe(to_other));
	pids[1] = start_child(other_ids, to_other);
	must(pipe(below.to_parent));
	must(pipe(below.to_child));
	pids[2] = start_child(deep, &below);
	must(read(below.to_parent[0], &c, 1));
	write_id_maps(pids[2], user_maps[2], group_maps[2]);
	must(write(below.to_child[1], "", 1));
	wait_for_restore();
	check_ids(0, 0, 0);
	check_text("/proc/thread-self/uid_map", MAP);
	CHECK_EQUAL(depth_of(pids[1]), 0);
	CHECK_EQUAL(depth_of(pids[2]), 1);
	must(write(to_other[1], "", 1));
	must(write(below.to_child[1], "", 1));
	await_look(own->to_child);
	for (int i = 0; i < 3; i++)
		join_child(pids[i], 3);
	return 3;
}

/* The UTS namespace belongs to the user namespace that is left behind. */
static int left_behind(void *arg)
{
	struct deep *own = arg;
	struct utsname names;

	enter(own->to_parent, own->to_child);
	must(unshare(CLONE_NEWUTS));
	must(sethostname("left", 4));
	must(unshare(CLONE_NEWUSER));
	must(prctl(PR_SET_DUMPABLE, 1));
	write_text("/proc/thread-self/setgroups", "deny");
	write_text("/proc/thread-self/uid_map", "1000 0 1\n");
	write_text("/proc/thread-self/gid_map", "1000 0 1\n");
	wait_for_restore();
	check_ids(1000, 1000, 1000);
	CHECK(!uname(&names) && !strcmp(names.nodename, "left"));
	CHECK(sethostname("x", 1) < 0 && errno == EPERM);
	await_look(own->to_child);
	return 3;
}

/* Its UTS namespace belongs to the user namespace around its own. */
static void check_left(pid_t pid)
{
	char path[64];
	int owner, around;

	CHECK_EQUAL(depth_of(pid), 2);
	snprintf(path, sizeof(path), "/proc/%d/ns/uts", pid);
	owner = must(ioctl(must(open(path, O_RDONLY | O_CLOEXEC)), NS_GET_USERNS));
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	around = must(ioctl(must(open(path, O_RDONLY | O_CLOEXEC)), NS_GET_PARENT));
	CHECK_EQUAL(inode_of(owner), inode_of(around));
}

static pid_t start(int (*function)(void *arg), struct deep *arg)
{
	char c;
	pid_t pid;

	must(pipe(arg->to_parent));
	must(pipe(arg->to_child));
	pid = start_child(function, arg);
	must(read(arg->to_parent[0], &c, 1));
	write_id_maps(pid, MAP, MAP);
	must(write(arg->to_child[1], "", 1));
	return pid;
}

int main(void)
{
	struct deep of_first = { .depth = 1 }, of_left = { .depth = 1 };
	pid_t pids[] = { start(first, &of_first), start(left_behind, &of_left) };

	checkpoint_with(6);

	check_ids(0, 0, 0);
	CHECK_EQUAL(depth_of(pids[0]), 1);
	check_left(pids[1]);
	must(write(of_first.to_child[1], "", 1));
	must(write(of_left.to_child[1], "", 1));
	for (int i = 0; i < 2; i++)
		join_child(pids[i], 3);
	return 0;
}
