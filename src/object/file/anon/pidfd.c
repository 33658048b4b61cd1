/* SPDX-License-Identifier: GPL-2.0-only */
/* pidfd_open(2): processes and threads, living or dead. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/table.h"
#include "base/text.h"
#include "kern/proc/stat.h"
#include "object/file/file.h"
#include "object/namespace/namespace.h"
#include "session/pids.h"

#define OUTSIDE	    (-2)
#define PIDFD_FLAGS (O_NONBLOCK | O_EXCL) /* PIDFD_NONBLOCK, PIDFD_THREAD (since 6.9) */

/* The last number is the one in the innermost pid namespace of the target. */
static int parse_pid(const struct dump *d, const struct open_file *of, int *ret)
{
	const char *pids = fdinfo_get(of->fdinfo, "NSpid"), *last;
	uint64_t ours;

	if (!pids)
		pids = fdinfo_get(of->fdinfo, "Pid");
	if (!pids)
		return refuse(EINVAL, "fdinfo of a pidfd shows no pid");
	last = strrchr(pids, '\t');
	if (text_to_int(last ? last + 1 : pids, ret) < 0)
		return refuse(EINVAL, "fdinfo of a pidfd shows the pid \"%s\"", pids);
	/* Those who live outside have numbers that mean others inside. */
	if (*ret > 0 && d->inner_pids &&
	    (fdinfo_get_u64(of->fdinfo, "Pid", 10, &ours) < 0 || dump_inner_pid(d, (pid_t)ours) != *ret))
		*ret = OUTSIDE;
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
		return refuse(ENOTSUP, "it refers to a process of another pid namespace, outside of the tree: nobody "
				       "knows which one to take at "
				       "the restore");
	record->nspid = (int)pid;
	record->outside = start_time(record->nspid);
	record->has_outside = record->outside != 0;
	if (!record->has_outside)
		record->nspid = -1; /* it has just ended */
	return 0;
}

static int dump_pidfd(struct dump *d, const struct open_file *of, FileEntry *out)
{
	PidfdEntry *record = out->pidfd;
	int pid;

	TRY(parse_pid(d, of, &pid));
	record->id = of->id;
	record->ino = (uint32_t)of->stat.st_ino;
	record->flags = of->flags;
	record->fown = of->owner;
	record->nspid = pid > 0 ? pid : -1;
	if (pid == OUTSIDE)
		return dump_outsider(of, record);
	if (pid > 0 && !task_tree_find(d->tree, pid) && !task_tree_find_thread(d->tree, pid))
		return dump_outsider(of, record);
	return 0;
}

/* --- restore --- */

static bool is_late_thread(struct restore *r, const PidfdEntry *record)
{
	return record->nspid > 0 && !record->has_outside && !task_tree_find(r->tree, record->nspid);
}

static int load_pidfd(struct restore *r, struct file *f)
{
	const PidfdEntry *record = f->entry->pidfd;

	if (record->nspid > 0 && !record->has_outside && !task_tree_find(r->tree, record->nspid) &&
	    !task_tree_find_thread(r->tree, record->nspid))
		return refuse(EINVAL, "files.img: it refers to process %d, which is not in the tree", record->nspid);
	f->users += is_late_thread(r, record); /* until it is put in place */
	return 0;
}

/* A child of ours that is gone at once: its pidfd says what one of a dead process says. */
static int make_dead(void *ret_fd)
{
	int fd = -1;
	struct clone_args args = { .flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&fd };
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return fail_errno("making a process that dies");
	if (waitpid(pid, NULL, __WALL) < 0) {
		close(fd);
		return fail_errno("waiting for a process that dies");
	}
	*(int *)ret_fd = fd;
	return 0;
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

static int create_pidfd(struct restore *r, struct file *f)
{
	const PidfdEntry *record = f->entry->pidfd;
	AUTO_CLOSE int fd = -1;

	if (is_gone(record)) {
		/* It must be of a pid namespace that the task may look into. */
		TRY(r->inner_pids ? namespace_run(r->tree->root->restore->proc, CLONE_NEWPID, make_dead, &fd)
				  : make_dead(&fd));
		TRY(file_apply_flags(fd, record->flags, record->fown));
	} else {
		TRY(open_living(pid_for_now(r, record), record, &fd));
	}
	f->fd = TAKE_FD(fd);
	return 0;
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
