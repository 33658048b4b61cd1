// SPDX-License-Identifier: GPL-2.0-only
/*
 * A sandbox: a user namespace owns pid, network, IPC, UTS and cgroup namespaces; its first process has a thread and
 * children, who have numbers in there that nobody of them may choose outside.
 */
#include <linux/nsfs.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

static const char *const names[] = { "pid", "net", "ipc", "uts", "cgroup" };

static int to_child[2], to_parent[2];

static ino_t inode_of(int fd)
{
	struct stat st;

	must(fstat(fd, &st));
	close(fd);
	return st.st_ino;
}

static void check_owners(void)
{
	ino_t user = inode_of(must(open("/proc/thread-self/ns/user", O_RDONLY)));

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[64];
		int fd;

		snprintf(path, sizeof(path), "/proc/thread-self/ns/%s", names[i]);
		fd = must(open(path, O_RDONLY));
		CHECK_EQUAL(inode_of(must(ioctl(fd, NS_GET_USERNS))), user);
		close(fd);
	}
}

static void check_all(pid_t pid, pid_t parent)
{
	CHECK_EQUAL(getpid(), pid);
	CHECK_EQUAL(getppid(), parent);
	CHECK_EQUAL(geteuid(), 0);
	check_owners();
}

static int grandchild(void *arg)
{
	wait_for_restore();
	check_all(4, 3);
	return 5;
}

static int child(void *arg)
{
	pid_t pid = start_child(grandchild, NULL);

	must(setsid());
	wait_for_restore();
	check_all(3, 1);
	join_child(pid, 5);
	return 4;
}

static void *thread(void *arg)
{
	wait_for_restore();
	CHECK_EQUAL(syscall(SYS_gettid), 2);
	check_owners();
	return NULL;
}

static int first(void *arg)
{
	pthread_t other;
	pid_t pid;
	char c;

	must(write(to_parent[1], "x", 1));
	must(read(to_child[0], &c, 1)); /* the maps are written */
	must(setresgid(0, 0, 0));
	must(setresuid(0, 0, 0));
	CHECK(pthread_create(&other, NULL, thread, NULL) == 0);
	pid = start_child(child, NULL);
	wait_for_restore();
	check_all(1, 0);
	CHECK(pthread_join(other, NULL) == 0);
	join_child(pid, 4);
	return 3;
}

static void write_file(pid_t pid, const char *name, const char *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = must(open(path, O_WRONLY));
	must(write(fd, text, strlen(text)));
	close(fd);
}

int main(void)
{
	pid_t pid;
	char c;

	must(pipe(to_child));
	must(pipe(to_parent));
	pid = (pid_t)syscall(SYS_clone,
			     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
				     CLONE_NEWCGROUP | SIGCHLD,
			     0, 0, 0, 0);
	if (pid == 0)
		_exit(first(NULL));
	must(pid);
	must(read(to_parent[0], &c, 1));
	write_file(pid, "setgroups", "deny");
	write_id_maps(pid, "0 5000 1000\n", "0 5000 1000\n");
	must(write(to_child[1], "x", 1));

	checkpoint_with(4);

	join_child(pid, 3);
	return 0;
}
