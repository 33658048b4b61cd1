// SPDX-License-Identifier: GPL-2.0-only
/* A process, its thread and its child live in a user namespace within that of the root, with a UTS namespace of its
 * own. */
#include <linux/nsfs.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

#define MAP "         0       5000        100\n       100          0          1\n"

static int to_child[2], to_parent[2], file;

static void check_map(void)
{
	char text[256] = "";
	int fd = must(open("/proc/thread-self/uid_map", O_RDONLY));

	must(read(fd, text, sizeof(text) - 1));
	close(fd);
	CHECK(!strcmp(text, MAP));
}

static ino_t inode_of(int fd)
{
	struct stat st;

	must(fstat(fd, &st));
	return st.st_ino;
}

/* The user namespace owns the UTS namespace. */
static void check_owner(void)
{
	int uts = must(open("/proc/thread-self/ns/uts", O_RDONLY));
	int user = must(open("/proc/thread-self/ns/user", O_RDONLY));
	int owner = must(ioctl(uts, NS_GET_USERNS));

	CHECK_EQUAL(inode_of(owner), inode_of(user));
	close(owner);
	close(user);
	close(uts);
}

static void check_all(void)
{
	uid_t ids[3];
	char c;

	must(getresuid(&ids[0], &ids[1], &ids[2]));
	CHECK(ids[0] == 7 && ids[1] == 0 && ids[2] == 0);
	CHECK_EQUAL(getgid(), 0);
	check_map();
	check_owner();
	CHECK_EQUAL(pread(file, &c, 1, 0), 1);
	CHECK_EQUAL(c, 'x');
}

static int child(void *arg)
{
	wait_for_restore();
	check_all();
	return 0;
}

static void *thread(void *arg)
{
	wait_for_restore();
	check_all();
	return NULL;
}

static int inner(void *arg)
{
	struct utsname names;
	pthread_t other;
	pid_t pid;
	char c;

	must(unshare(CLONE_NEWUSER));
	must(write(to_parent[1], "", 1));
	must(read(to_child[0], &c, 1));
	must(setresgid(0, 0, 0));
	must(setresuid(7, 0, 0));
	must(unshare(CLONE_NEWUTS));
	must(sethostname("inner", 5));
	pid = start_child(child, NULL);
	pthread_create(&other, NULL, thread, NULL);
	wait_for_restore();
	check_all();
	CHECK(!uname(&names) && !strcmp(names.nodename, "inner"));
	CHECK_EQUAL(sethostname("changed", 7), 0);
	pthread_join(other, NULL);
	join_child(pid, 0);
	return 0;
}

int main(void)
{
	struct utsname names;
	pid_t pid;
	char c;

	file = must(open("file", O_RDWR | O_CREAT, 0600));
	must(write(file, "x", 1));
	must(pipe(to_child));
	must(pipe(to_parent));
	pid = start_child(inner, NULL);
	must(read(to_parent[0], &c, 1));
	write_id_maps(pid, MAP, MAP);
	must(write(to_child[1], "", 1));

	checkpoint_with(3);

	join_child(pid, 0);
	CHECK_EQUAL(getuid(), 0);
	CHECK(!uname(&names) && strcmp(names.nodename, "inner") && strcmp(names.nodename, "changed"));
	return 0;
}
