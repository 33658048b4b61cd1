/* SPDX-License-Identifier: GPL-2.0-only */
/* Files below /proc/PID of a process or thread that is dead: a helper stands in for it until the tree is complete, and
 * dies. */
#include "object/file/regular/procfs.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "base/vector.h"
#include "fs.pb-c.h"
#include "kern/capability.h"
#include "kern/proc/proc.h"
#include "kern/proc/status.h"
#include "object/file/file.h"
#include "object/file/regular/open.h"
#include "object/mount/mount.h"
#include "object/namespace/namespace.h"
#include "session/pids.h"

/* Only its number is wanted, as its pid namespace tells it; what it has open of ours would keep others waiting. */
static void __attribute__((noreturn)) be_helper(int report, int user_ns)
{
	pid_t number = getpid();

	if (user_ns >= 0 && setns(user_ns, CLONE_NEWUSER) < 0)
		_exit(1);
	prctl(PR_SET_DUMPABLE, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(report, &number, sizeof(number)) == sizeof(number))
		close_range(0, ~0u, 0);
	for (;;)
		pause();
}

/* In the pid namespace of the tree if it has its own, or the one within that: this thread makes one child there. */
static pid_t clone_helper(struct restore *r, const struct pid_space *space, struct clone_args *args)
{
	AUTO_CLOSE int own = -1;
	int theirs;
	pid_t pid;

	if (!r->facts->inner_pids && !space)
		return (pid_t)syscall(SYS_clone3, args, sizeof(*args));
	own = open("/proc/thread-self/ns/pid_for_children", O_RDONLY | O_CLOEXEC);
	theirs = pid_space_file(r, space);
	if (own < 0 || theirs < 0 || setns(theirs, CLONE_NEWPID) < 0)
		return fail_errno("entering the pid namespace of the tree");
	pid = (pid_t)syscall(SYS_clone3, args, sizeof(*args));
	if (pid == 0)
		return 0;
	if (setns(own, CLONE_NEWPID) < 0) /* never seen: it is our own */
		return fail_errno("leaving the pid namespace of the tree");
	return pid;
}

/*
 * Who has the directory as root or current directory (browsers shut their sandboxes up in one) must be allowed to enter
 * it: tasks in a user namespace have no power over others than those that live there as well.
 */
static int find_users(const struct restore *r, uint32_t id)
{
	const struct task *task;

	for_each_task(task, r->tree) {
		const FsEntry *directories = task_is_live(task) ? file_directories_of(task) : NULL;
		const struct namespace *ns =
			namespace_of(restore_namespaces(r), task, namespace_kind_find(CLONE_NEWUSER));

		if (directories && (directories->root_id == id || directories->cwd_id == id) && ns && !ns->own)
			return ns->fd;
	}
	return -1;
}

/* Somebody may have the number of the dead process by now: then any other is as good. */
static int make_helper(struct restore *r, pid_t wanted, int user_ns, struct procfs_helper *helper)
{
	struct clone_args args = { .exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&wanted, .set_tid_size = 1 };
	AUTO_CLOSE int reader = -1, writer = -1;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail_errno("making a pipe");
	reader = ends[0];
	writer = ends[1];
	helper->wanted = wanted;
	helper->pid = clone_helper(r, helper->space, &args);
	if (helper->pid < 0 && (errno == EEXIST || errno == EPERM || errno == EINVAL)) {
		args.set_tid = args.set_tid_size = 0;
		helper->pid = clone_helper(r, helper->space, &args);
	}
	if (helper->pid == 0)
		be_helper(writer, user_ns);
	if (helper->pid < 0)
		return fail_errno("making a helper in the place of process %d", wanted);
	if (read(reader, &helper->number, sizeof(helper->number)) != sizeof(helper->number))
		return fail(EIO, "the helper in the place of process %d has died", wanted);
	log_debug("Process %d, which is dead, is stood in for by process %d", wanted, helper->number);
	return 0;
}

static int find_helper(struct restore *r, struct procfs_helpers *helpers, const struct pid_space *space, pid_t wanted,
		       uint32_t id, pid_t *ret_number)
{
	struct procfs_helper *helper;

	for (size_t i = 0; i < helpers->n; i++) {
		if (helpers->items[i].wanted != wanted || helpers->items[i].space != space)
			continue;
		*ret_number = helpers->items[i].number;
		return 0;
	}
	helper = vector_push(helpers);
	*helper = (struct procfs_helper){ .space = space };
	TRY(make_helper(r, wanted, find_users(r, id), helper));
	*ret_number = helper->number;
	return 0;
}

void procfs_end_helpers(struct procfs_helpers *helpers)
{
	for (size_t i = 0; i < helpers->n; i++) {
		pid_t pid = helpers->items[i].pid;

		if (pid > 0 && (kill(pid, SIGKILL) < 0 || waitpid(pid, NULL, 0) < 0))
			log_warn("waiting for helper %d: %s", pid, strerror(errno));
	}
	vector_done(helpers);
}

bool procfs_parse_name(const char *name, struct procfs_name *ret)
{
	int length = 0;

	*ret = (struct procfs_name){ 0 };
	if (sscanf(name, "/proc/%d%n", &ret->pid, &length) != 1 || ret->pid <= 0)
		return false;
	ret->rest = name + length;
	if (sscanf(ret->rest, "/task/%d%n", &ret->tid, &length) == 1 && ret->tid > 0)
		ret->rest += length;
	else
		ret->tid = 0;
	return *ret->rest == '/' || !*ret->rest;
}

bool procfs_is_of_descriptor(const struct procfs_name *name)
{
	return text_after(name->rest, "/fd/") || text_after(name->rest, "/fdinfo/") ||
	       text_after(name->rest, "/map_files/");
}

int procfs_open_dead(struct restore *r, struct procfs_helpers *helpers, pid_t pid, const RegFileEntry *record,
		     int flags, int *ret_fd)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	struct procfs_name name;
	char path[PATH_MAX];
	pid_t number;

	if (!procfs_parse_name(record->name, &name))
		return refuse(EINVAL, "remap-fpath.img: %s is no file of a process", record->name);
	TRY(find_helper(r, helpers, mount_restore_pid_space(r, record->has_mnt_id ? record->mnt_id : 0), pid,
			record->id, &number));
	if (name.tid)
		snprintf(path, sizeof(path), "/proc/%d/task/%d%s", number, number, name.rest);
	else
		snprintf(path, sizeof(path), "/proc/%d%s", number, name.rest);
	TRY(mount_stay_begin(regular_root(r, record), &stay));
	*ret_fd = open(path, flags);
	return *ret_fd < 0 ? fail_errno("opening %s in its place", path) : 0;
}

/* 0: it is no file of a process. */
static pid_t owner_of(int fd)
{
	char link[32], path[PATH_MAX];
	const char *number;
	struct stat st, ours;
	struct statfs fs;

	if (fstat(fd, &st) < 0 || stat("/proc", &ours) < 0 || st.st_dev != ours.st_dev)
		return 0; /* numbers of another pid namespace */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (fstatfs(fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC ||
	    file_readlink(AT_FDCWD, link, path, sizeof(path)) < 0)
		return 0;
	number = text_after(path, "/proc/");
	return number ? (pid_t)strtol(number, NULL, 10) : 0;
}

static bool is_thread_of_ours(pid_t tid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/task/%d", tid);
	return access(path, F_OK) == 0;
}

int procfs_check_opened(struct restore *r, int fd)
{
	pid_t pid = owner_of(fd);
	AUTO(proc_status_done) struct proc_status status = { 0 };
	AUTO_CLOSE int proc = -1;

	if (!pid || r->facts->inner_pids) /* it is a number of theirs: regular.c */
		return 0;
	if (is_thread_of_ours(pid))
		return refuse(EPERM, "it is criu's own file now: the process that it belonged to is not there");
	if (task_tree_find_thread(r->tree, pid) || capability_effective(CAP_SYS_PTRACE))
		return 0;
	proc = proc_open(pid);
	if (proc >= 0 && proc_status_read(proc, &status) == 0 && status.cap_permitted)
		return refuse(EPERM, "it belongs to process %d, which has capabilities: only root can restore this",
			      pid);
	return 0;
}
