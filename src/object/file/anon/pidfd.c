/* SPDX-License-Identifier: GPL-2.0-only */
/* pidfd_open(2): processes and threads, living or dead. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/table.h"
#include "base/text.h"
#include "kern/proc/stat.h"
#include "kern/syscalls.h"
#include "object/file/file.h"
#include "object/namespace/namespace.h"
#include "session/needs.h"
#include "session/pids.h"

extern const struct file_kind pidfd_kind;

#define OUTSIDE	    (-2)
#define KILLED_BY   0x7f			/* of what wait(2) tells */
#define PIDFD_FLAGS (O_NONBLOCK | PIDFD_THREAD) /* the first is PIDFD_NONBLOCK */

/* The number that the tree sees; -1: it has ended. */
static int parse_pid(const struct dump *d, const struct open_file *of, int *ret)
{
	const char *text = fdinfo_get(of->fdinfo, "Pid");

	if (!text || text_to_int(text, ret) < 0)
		return refuse(EINVAL, "fdinfo of a pidfd shows the pid \"%s\"", text ?: "");
	/* Those who live outside have numbers that mean others inside. */
	if (*ret >= 0 && d->facts->inner_pids)
		*ret = dump_inner_pid(d, *ret) ?: OUTSIDE;
	return 0;
}

/* Ticks since the boot: with its pid it tells a process from all others. 0 = there is none. */
static uint64_t start_time(pid_t pid)
{
	AUTO_CLOSE int proc = -1;
	struct proc_stat stat;
	char name[32];

	snprintf(name, sizeof(name), "/proc/%d", pid);
	proc = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return proc >= 0 && proc_stat_read(proc, &stat) == 0 ? stat.start_time : 0;
}

/* A process outside of the tree stays where it is: its own number here, and when it was started. */
static int dump_outsider(const struct open_file *of, PidfdEntry *record)
{
	uint64_t pid;

	if (fdinfo_get_u64(of->fdinfo, "Pid", 10, &pid) < 0 || !pid || pid > INT32_MAX)
		return refuse(EOPNOTSUPP,
			      "it refers to a process of another pid namespace, outside of the tree: nobody "
			      "knows which one to take at "
			      "the restore");
	record->nspid = (int)pid;
	record->outside = start_time(record->nspid);
	record->has_outside = record->outside != 0;
	if (!record->has_outside)
		record->nspid = -1; /* it has just ended */
	return 0;
}

/* linux/pidfd.h, since Linux 6.13; the exit code since 6.15. */
struct info {
	uint64_t mask, cgroup;
	uint32_t pid, tgid, ppid, ids[8];
	int32_t exit_code;
};

#define GET_INFO  _IOWR(0xff, 11, struct info)
#define INFO_EXIT (1u << 3)

static void read_exit_code(int fd, PidfdEntry *record)
{
	struct info info = { .mask = INFO_EXIT };

	record->has_exit_code = ioctl(fd, GET_INFO, &info) == 0 && info.mask & INFO_EXIT;
	record->exit_code = record->has_exit_code ? info.exit_code : 0;
}

static int dump_pidfd(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	PidfdEntry *record = out->pidfd;
	int pid;

	TRY(parse_pid(d, of, &pid));
	record->id = of->id;
	record->ino = (uint32_t)of->stat.st_ino;
	record->flags = of->flags;
	record->fown = of->owner;
	record->nspid = pid > 0 ? pid : -1;
	if (pid < 0)
		read_exit_code(of->fd, record);
	if (pid == OUTSIDE)
		return dump_outsider(of, record);
	if (pid > 0 && !task_tree_find(d->tree, pid) && !task_tree_find_thread(d->tree, pid))
		return dump_outsider(of, record);
	return 0;
}

/* --- restore --- */

static bool is_late_thread(const struct restore *r, const PidfdEntry *record)
{
	return record->nspid > 0 && !record->has_outside && !task_tree_find(r->tree, record->nspid);
}

static int load_pidfd(const struct restore *r, struct file *f)
{
	const PidfdEntry *record = f->entry->pidfd;

	if (record->nspid > 0 && !record->has_outside && !task_tree_find(r->tree, record->nspid) &&
	    !task_tree_find_thread(r->tree, record->nspid))
		return refuse(EINVAL, "files.img: it refers to process %d, which is not in the tree", record->nspid);
	f->users += is_late_thread(r, record); /* until it is put in place */
	/* One of a thread that has ended is made as one of a process. */
	return record->nspid > 0 && record->flags & PIDFD_THREAD ? need_kernel(r, FEATURE_ID_pidfd_thread) : 0;
}

/* A thread is made after the descriptors: until then the number holds the pidfd of its process. */
static pid_t pid_for_now(struct restore *r, const PidfdEntry *record)
{
	if (record->has_outside)
		return record->nspid;
	return is_late_thread(r, record) ? task_tree_find_thread(r->tree, record->nspid)->task->pid
					 : restore_outer_pid(r, record->nspid);
}

static bool is_gone(const PidfdEntry *record)
{
	if (record->nspid <= 0)
		return true;
	if (!record->has_outside || start_time(record->nspid) == record->outside)
		return false;
	log_info("Process %d, outside of the tree, is another one than at the dump, or gone: its pidfd tells that it "
		 "is dead",
		 record->nspid);
	return true;
}

static int open_living(pid_t pid, const PidfdEntry *record, int *ret_fd)
{
	*ret_fd = (int)syscall(SYS_pidfd_open, pid, record->flags & PIDFD_FLAGS);
	if (*ret_fd < 0)
		return fail_errno("opening a pidfd of process %d", record->nspid);
	return record->fown && record->fown->signum ? file_apply_flags(*ret_fd, record->flags, record->fown) : 0;
}

/* --- processes that have ended --- */

/* All pidfds of one process that has ended have the same inode number. */
struct ended {
	struct restore *r;
	uint32_t ino;
	int exit_code;
};

static void __attribute__((noreturn)) end_as(int exit_code)
{
	const struct rlimit none = { 0 };
	int sig = exit_code & KILLED_BY;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	if (sig && setrlimit(RLIMIT_CORE, &none) == 0) {
		signal(sig, SIG_DFL);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		kill(getpid(), sig);
	}
	_exit(exit_code >> 8 & 0xff);
}

static int open_ended(pid_t pid, const PidfdEntry *record, int *ret_fd)
{
	*ret_fd = (int)syscall(SYS_pidfd_open, pid, record->flags & PIDFD_FLAGS);
	if (*ret_fd < 0 && errno == EINVAL) /* this kernel has none of threads */
		*ret_fd = (int)syscall(SYS_pidfd_open, pid, record->flags & O_NONBLOCK);
	if (*ret_fd < 0)
		return fail_errno("opening a pidfd of a process that has ended");
	return file_apply_flags(*ret_fd, record->flags, record->fown);
}

static int open_all(const struct ended *ended, pid_t pid)
{
	size_t n;
	struct file *const *files = file_restore_all(ended->r, &n);

	for (size_t i = 0; i < n; i++) {
		const PidfdEntry *record = files[i]->kind == &pidfd_kind ? files[i]->entry->pidfd : NULL;

		if (record && record->ino == ended->ino && files[i]->fd < 0 && files[i]->users && is_gone(record))
			TRY(open_ended(pid, record, &files[i]->fd));
	}
	return 0;
}

/* A child of ours that is gone at once: its pidfds say what those of a dead process say. */
static int make_ended(void *arg)
{
	const struct ended *ended = arg;
	struct clone_args args = { 0 };
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	int result;

	if (pid == 0)
		end_as(ended->exit_code);
	if (pid < 0)
		return fail_errno("making a process that ends");
	result = open_all(ended, pid);
	if (waitpid(pid, NULL, __WALL) < 0)
		return fail_errno("waiting for a process that ends");
	return result;
}

static int create_pidfd(struct restore *r, struct file *f)
{
	const PidfdEntry *record = f->entry->pidfd;
	struct ended ended = { r, record->ino, record->exit_code };

	if (!is_gone(record))
		return open_living(pid_for_now(r, record), record, &f->fd);
	/* It must be of a pid namespace that the task may look into. */
	return r->facts->inner_pids ? namespace_run(r->tree->root->restore->proc, CLONE_NEWPID, make_ended, &ended)
				    : make_ended(&ended);
}

static int remake_pidfd(struct restore *r, struct file *f, int *ret_fd)
{
	const PidfdEntry *record = f->entry->pidfd;

	return is_late_thread(r, record) ? open_living(restore_outer_pid(r, record->nspid), record, ret_fd) : -ENOENT;
}

static int settle_pidfd(struct restore *r, struct file *f)
{
	if (is_late_thread(r, f->entry->pidfd))
		file_put(r, f);
	return 0;
}

const struct file_kind pidfd_kind = {
	.name = "pidfd",
	.type = FD_TYPES__PIDFD,
	.entry = offsetof(FileEntry, pidfd),
	.anon_inode = "[pidfd]",
	.dump = dump_pidfd,
	.load = load_pidfd,
	.create = create_pidfd,
	.remake = remake_pidfd,
	.settle = settle_pidfd,
};
