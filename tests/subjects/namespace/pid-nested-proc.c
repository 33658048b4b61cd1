// SPDX-License-Identifier: GPL-2.0-only
/* Proc of a pid namespace within that of the tree, with files open in it, something mounted upon it and parts of it
 * mounted elsewhere; two of them within each other, where one is a shared mount. */
#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>

#include "subject.h"

SUBJECT()

static int counted[2];

static unsigned count_processes(const char *proc)
{
	DIR *dir = opendir(proc);
	struct dirent *entry;
	unsigned n = 0;

	CHECK(dir != NULL);
	while ((entry = readdir(dir)))
		n += *entry->d_name >= '1' && *entry->d_name <= '9';
	closedir(dir);
	return n;
}

static void check_self(void)
{
	char text[16] = "";

	CHECK(readlink("/proc/self", text, sizeof(text) - 1) > 0);
	CHECK_EQUAL(atoi(text), getpid());
}

static int end_at_once(void *arg)
{
	return 0;
}

static int stay(void *arg)
{
	wait_for_restore();
	check_self();
	return 3;
}

static int inner(void *arg)
{
	pid_t child;
	char c;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mount("proc", "/proc", "proc", 0, NULL));
	child = start_child(stay, NULL);
	wait_for_restore();
	check_self();
	CHECK_EQUAL(count_processes("/proc"), 2);
	CHECK_EQUAL(read(counted[0], &c, 1), 1);
	join_child(child, 3);
	return 0;
}

static int outer(void *arg)
{
	char text[4096] = "", c;
	pid_t child, inner_first;
	int status, name, acpi, ended;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mount("proc", "/proc", "proc", MS_NOSUID, NULL));
	must(mount(NULL, "/proc", NULL, MS_SHARED, NULL));
	must(mount("tmpfs", "/proc/fs", "tmpfs", 0, NULL));
	acpi = must(open("/proc/fs/file", O_RDWR | O_CREAT, 0600));
	must(write(acpi, "x", 1));
	must(mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL));
	must(mount(NULL, "/proc/sys", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
	must(mkdir("part", 0700));
	must(mount("/proc/1", "part", NULL, MS_BIND, NULL));
	/* Of a process that ends. */
	child = start_child(end_at_once, NULL);
	ended = must(open("/proc/2/status", O_RDONLY));
	join_child(child, 0);
	child = start_child(stay, NULL);
	status = must(open("/proc/3/status", O_RDONLY));
	name = must(open("part/comm", O_RDWR));
	must(unshare(CLONE_NEWPID));
	inner_first = start_child(inner, NULL);

	wait_for_restore();
	check_self();
	CHECK_EQUAL(count_processes("/proc"), 4); /* the inner two as well */
	CHECK_EQUAL(write(counted[1], "x", 1), 1);
	CHECK(pread(status, text, sizeof(text) - 1, 0) > 0);
	CHECK(strstr(text, "\nPid:\t3\n") != NULL);
	CHECK(pread(ended, text, sizeof(text) - 1, 0) == -1);
	CHECK_EQUAL(errno, ESRCH);
	CHECK_EQUAL(write(name, "other", 5), 5);
	CHECK(pread(acpi, &c, 1, 0) == 1 && c == 'x');
	CHECK(access("/proc/fs/file", F_OK) == 0);
	CHECK(open("/proc/sys/kernel/hostname", O_RDWR) == -1);
	CHECK_EQUAL(errno, EROFS);
	CHECK(access("part/status", F_OK) == 0);
	join_child(child, 3);
	join_child(inner_first, 0);
	close(name);
	CHECK(umount("part") == 0);
	return 0;
}

int main(void)
{
	pid_t pid;

	must(pipe(counted));
	must(unshare(CLONE_NEWPID));
	pid = start_child(outer, NULL);
	checkpoint_with(4);
	join_child(pid, 0);
	return 0;
}
