/* SPDX-License-Identifier: GPL-2.0-only */
/* pidfd_open(2): processes and threads, living or dead. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
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
#include "object/file/file.h"

#define PIDFD_FLAGS (O_NONBLOCK | O_EXCL) /* PIDFD_NONBLOCK, PIDFD_THREAD (since 6.9) */
#define SLOT_PIDFD  1

/* The last number is the one in the innermost pid namespace of the target. */
static int parse_pid(const struct open_file *of, int *ret)
{
	const char *pids = fdinfo_get(of->fdinfo, "NSpid"), *last;

	if (!pids)
		pids = fdinfo_get(of->fdinfo, "Pid");
	if (!pids)
		return refuse(EINVAL, "fdinfo of a pidfd shows no pid");
	last = strrchr(pids, '\t');
	return text_to_int(last ? last + 1 : pids, ret) < 0 ? refuse(EINVAL, "fdinfo of a pidfd shows the pid \"%s\"", pids) : 0;
}

static int dump_pidfd(struct dump *d, const struct open_file *of, FileEntry *out)
{
	PidfdEntry *record = out->pidfd;
	int pid;

	TRY(parse_pid(of, &pid));
	if (pid > 0 && !task_tree_find(d->tree, pid) && !task_tree_find_thread(d->tree, pid))
		return refuse(ENOTSUP, "it refers to process %d, which is outside of the tree: nobody knows which one to take at the "
				       "restore",
			      pid);
	record->id = of->id;
	record->ino = (uint32_t)of->stat.st_ino;
	record->flags = of->flags;
	record->fown = of->owner;
	record->nspid = pid > 0 ? pid : -1;
	return 0;
}

/* --- restore --- */

static bool is_late_thread(struct restore *r, const PidfdEntry *record)
{
	return record->nspid > 0 && !task_tree_find(r->tree, record->nspid);
}

static int load_pidfd(struct restore *r, struct file *f)
{
	const PidfdEntry *record = f->entry->pidfd;

	if (record->nspid > 0 && !task_tree_find(r->tree, record->nspid) && !task_tree_find_thread(r->tree, record->nspid))
		return refuse(EINVAL, "files.img: it refers to process %d, which is not in the tree", record->nspid);
	return 0;
}

/* A child of ours that is gone at once: its pidfd says what one of a dead process says. */
static int make_dead(int *ret_fd)
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
	*ret_fd = fd;
	return 0;
}

/* A thread is made after the descriptors: until then the number holds the pidfd of its process. */
static pid_t pid_for_now(struct restore *r, const PidfdEntry *record)
{
	return is_late_thread(r, record) ? task_tree_find_thread(r->tree, record->nspid)->task->vpid : record->nspid;
}

static int create_pidfd(struct restore *r, struct file *f)
{
	const PidfdEntry *record = f->entry->pidfd;
	AUTO_CLOSE int fd = -1;

	if (record->nspid <= 0) {
		TRY(make_dead(&fd));
		TRY(file_apply_flags(fd, record->flags, record->fown));
	} else {
		fd = (int)syscall(SYS_pidfd_open, pid_for_now(r, record), record->flags & PIDFD_FLAGS);
		if (fd < 0)
			return fail_errno("opening a pidfd of process %d", record->nspid);
		if (record->fown && record->fown->signum)
			TRY(file_apply_flags(fd, record->flags, record->fown));
	}
	f->fd = TAKE_FD(fd);
	return 0;
}

/* All threads are there: put the right one in place, at every number of the owner. */
static int plan_pidfd(struct restore *r, struct file *f, struct plan *p)
{
	const PidfdEntry *record = f->entry->pidfd;

	if (!is_late_thread(r, record))
		return 0;
	if (f->n_numbers > 1)
		return refuse(ENOTSUP, "the pidfd of thread %d is open under %u numbers: this can't be restored yet", record->nspid,
			      f->n_numbers);
	plan_syscall(p, plan_why(p, "open a pidfd of thread %d", record->nspid), __NR_pidfd_open, V(record->nspid),
		     V(record->flags & PIDFD_FLAGS))->to_slot = SLOT_PIDFD;
	plan_syscall(p, "put the pidfd in place", __NR_dup3, S(SLOT_PIDFD), V(f->owner_fd), V(f->owner_cloexec ? O_CLOEXEC : 0));
	plan_syscall(p, "close the first one", __NR_close, S(SLOT_PIDFD));
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
	.plan = plan_pidfd,
};
