/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions of ours inside namespaces of others. setns(2) into a mount namespace wants directories of its own, into a
 * user namespace a process of one thread: so it is one made by apart_spawn().
 */
#include "object/namespace/run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/apart.h"
#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "object/namespace/namespace.h"

struct namespace_job {
	int proc;
	int own_proc; /* /proc as we see it: in other mount namespaces there may be none */
	uint32_t flags;
	const int *fds; /* namespaces to enter, besides; -1 ends the list */
	int (*work)(void *arg);
	void *arg;
	int result;
};

/* Of the thread that is on a job. */
static _Thread_local int own_proc = -1;

static int open_one(int proc, const char *name)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "ns/%s", name);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? fail_errno("opening the %s namespace of a task", name) : fd;
}

/* Opened as ourselves: who is in the user namespace may not look at a program that is not dumpable. */
struct opened {
	int fds[16];
	size_t n;
};

static int open_all(const struct namespace_job *job, struct opened *opened)
{
	for (const struct namespace_kind *const *kind = namespace_kinds; *kind; kind++) {
		if ((*kind)->flag == CLONE_NEWUSER || !(job->flags & (*kind)->flag) ||
		    opened->n == ARRAY_SIZE(opened->fds))
			continue;
		opened->fds[opened->n] = open_one(job->proc, (*kind)->name);
		TRY(opened->fds[opened->n]);
		opened->n++;
	}
	return 0;
}

static void close_opened(struct opened *opened)
{
	for (size_t i = 0; i < opened->n; i++)
		close(opened->fds[i]);
}

/*
 * Becomes root over there, if there is one: settings belong to that user. What the kernel takes away for it, or because
 * the namespace belongs to somebody else, is given back: it is ours, too.
 */
static int become_root_there(int user)
{
	int dumpable = prctl(PR_GET_DUMPABLE);

	if (user < 0 || setns(user, CLONE_NEWUSER) < 0)
		return fail_errno("entering the user namespace of a task");
	(void)syscall(SYS_setgroups, 0, NULL);
	(void)syscall(SYS_setresgid, 0, 0, 0);
	(void)syscall(SYS_setresuid, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, dumpable == 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return 0;
}

int namespace_enter_user(int proc)
{
	AUTO_CLOSE int user = openat(proc, "ns/user", O_RDONLY | O_CLOEXEC);

	return become_root_there(user);
}

/* Of the one that no task lives in; of the task; if there are mounts to be seen, the one that they belong to, which may
 * lie around it. */
static int enter_user(const struct namespace_job *job)
{
	AUTO_CLOSE int mounts =
		job->proc >= 0 && job->flags & CLONE_NEWNS ? openat(job->proc, "ns/mnt", O_RDONLY | O_CLOEXEC) : -1;
	AUTO_CLOSE int owner = job->proc < 0 && job->fds ? ioctl(job->fds[0], NS_GET_USERNS)
			       : mounts < 0		 ? -1
							 : ioctl(mounts, NS_GET_USERNS);

	return owner < 0 ? namespace_enter_user(job->proc) : become_root_there(owner);
}

/* The user namespace first: it may give the right to enter the others. */
static int enter_all(const struct namespace_job *job)
{
	AUTO(close_opened) struct opened opened = { 0 };

	TRY(open_all(job, &opened));
	if (job->flags & CLONE_NEWUSER)
		TRY(enter_user(job));
	for (size_t i = 0; i < opened.n; i++)
		if (setns(opened.fds[i], 0) < 0)
			return fail_errno("entering the namespaces of a task");
	for (const int *fd = job->fds; fd && *fd >= 0; fd++)
		if (setns(*fd, 0) < 0)
			return fail_errno("entering a namespace");
	return 0;
}

static int spawn_process(int (*function)(void *arg), struct namespace_job *job)
{
	job->result = -EIO;
	TRY(apart_spawn(function, job));
	return job->result;
}

static int do_work(void *arg)
{
	struct namespace_job *job = arg;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	own_proc = job->own_proc;
	job->result = job->work(job->arg);
	own_proc = -1;
	return 0;
}

static int enter_and_work(void *arg)
{
	struct namespace_job *job = arg;
	int error;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	error = enter_all(job);
	if (error < 0)
		job->result = error;
	else if (job->flags & CLONE_NEWPID)
		job->result = spawn_process(do_work, job); /* only children are in it */
	else
		(void)do_work(job);
	return 0;
}

static int run_job(struct namespace_job *job)
{
	AUTO_CLOSE int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (proc < 0)
		return fail_errno("opening /proc");
	job->own_proc = proc;
	return spawn_process(enter_and_work, job);
}

int namespace_run(int proc, uint32_t flags, int (*work)(void *arg), void *arg)
{
	struct namespace_job job = { .proc = proc, .flags = flags, .work = work, .arg = arg };

	return run_job(&job);
}

int namespace_open(const struct namespace *ns)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "ns/%s", ns->kind->name);
	fd = ns->task ? openat(ns->task->dump->proc, path, O_RDONLY | O_CLOEXEC) : fcntl(ns->fd, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? fail_errno("opening %s namespace %u", ns->kind->name, ns->id) : fd;
}

int namespace_run_on(const struct namespace *ns, uint32_t flags, int (*work)(void *arg), void *arg)
{
	const int fds[] = { ns->fd, -1 };
	struct namespace_job job = { .proc = -1, .fds = fds, .flags = flags, .work = work, .arg = arg };

	return ns->task ? namespace_run(ns->task->dump->proc, ns->kind->flag | flags, work, arg) : run_job(&job);
}

int namespace_run_in(struct restore *r, const struct namespace *ns, int (*work)(void *arg), void *arg)
{
	/* That of single tasks lies within that of the root, which we have power over. */
	const int fds[] = { ns->owner ? ns->owner->fd : ns->fd, ns->owner ? ns->fd : -1, -1 };
	uint32_t user = r->facts->ids ? CLONE_NEWUSER : 0;
	struct namespace_job job = {
		.proc = r->tree->root->restore->proc, .flags = user, .fds = fds, .work = work, .arg = arg
	};

	if (ns->kind->flag == CLONE_NEWUSER)
		job.fds = NULL; /* it is there already, and no process may enter its own user namespace */
	if (ns->kind->flag == CLONE_NEWPID) {
		job.flags |= CLONE_NEWPID;
		job.fds = NULL;
	}
	return run_job(&job);
}

int namespace_open_own(const char *name)
{
	char path[48];
	int fd;

	snprintf(path, sizeof(path), "thread-self/ns/%s", name);
	fd = openat(own_proc, path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? fail_errno("opening /proc/%s", path) : fd;
}

int namespace_open_path(int proc, const char *path, int flags, mode_t mode)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC), .mode = mode, .resolve = RESOLVE_IN_ROOT };
	AUTO_CLOSE int root = openat(proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (root < 0)
		return -errno;
	fd = (int)syscall(__NR_openat2, root, path, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}
