/* SPDX-License-Identifier: GPL-2.0-only */
/* What can be refused as soon as the tree is known: who leads whom, and whether it may be killed. */
#include "flow/dump/check.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/text.h"
#include "kern/proc/proc.h"
#include "kern/proc/stat.h"
#include "session/loss.h"
#include "session/survey.h"
#include "task/pid-space.h"

/* A session or group whose leader is not in the tree can only be taken from the terminal that restore is started on. */
static int check_sessions(struct dump *d)
{
	struct task *task;

	for_each_task(task, d->tree) {
		if (task->vsid != d->tree->root->vsid || task->vsid == d->tree->root->vpid || d->options->shell_job)
			continue;
		int error = refuse(EINVAL,
				   "task %d (%s): its session %d is led from outside the tree: dump with --shell-job "
				   "if it was started from a "
				   "shell, or start it with setsid",
				   task->vpid, task->comm, task->vsid);

		TRY(dump_go_on(d, error));
	}
	return 0;
}

/* The kernel protects the first process of a pid namespace from signals of those who live in it. */
static int check_mortal(struct dump *d)
{
	if (d->tree->root->pid != 1 || d->options->end != OPT_END_KILL || d->progress->only_look)
		return 0;
	return dump_go_on(d, refuse(EPERM, "process 1 cannot be killed from within its pid namespace: run criu outside "
					   "of that namespace, or "
					   "dump with --leave-running"));
}

static bool is_in_tree(const struct dump *d, pid_t pid)
{
	const struct task *task;

	for_each_task(task, d->tree)
		if (task->pid == pid)
			return true;
	return false;
}

/* A pid namespace that ends with a task of the tree. */
static bool ends_with_tree(const struct dump *d, ino_t inode)
{
	const struct task *root = d->tree->root;
	const struct pid_space *space;

	if (inode == d->facts->pid_namespace)
		return root->vpid == 1 && root->pid != 1;
	for_each_pid_space(space, d->tree) if (space->inode == inode) return true;
	return false;
}

/* Or made by us, to look around in there. */
static bool is_ours(pid_t pid)
{
	while (pid > 0 && pid != getpid()) {
		AUTO_CLOSE int proc = proc_open(pid);
		struct proc_stat stat;

		if (proc < 0 || proc_stat_read(proc, &stat) < 0)
			return false;
		pid = stat.ppid;
	}
	return pid > 0;
}

/* Whoever was put into the pid namespace from outside: docker exec, nsenter(1). */
static void tell_stranger(struct dump *d, pid_t pid)
{
	AUTO_CLOSE int proc = proc_open(pid);
	struct proc_stat stat;
	struct stat its;

	if (proc < 0 || fstatat(proc, "ns/pid", &its, 0) < 0 || !ends_with_tree(d, its.st_ino) ||
	    proc_stat_read(proc, &stat) < 0 || stat.state == 'Z')
		return;
	if (!is_in_tree(d, pid) && !is_ours(pid))
		dump_report_loss(d,
				 "process %d (%s) in a pid namespace of the tree: it is no descendant of process %d "
				 "(was it put there by exec?), and ends with it",
				 pid, stat.comm, d->tree->root->pid);
}

/* All that live in the namespace die with its first process. */
static int find_strangers(struct dump *d)
{
	const struct task *root = d->tree->root;
	AUTO_CLOSEDIR DIR *dir = NULL;
	struct dirent *entry;

	if ((root->vpid != 1 || root->pid == 1) && !d->tree->pid_spaces)
		return 0;
	dir = opendir("/proc");
	if (!dir)
		return fail_errno("opening /proc");
	while ((entry = readdir(dir))) {
		int pid;

		if (text_to_int(entry->d_name, &pid) == 0 && pid > 0)
			tell_stranger(d, pid);
	}
	return 0;
}

int dump_check_tree(struct dump *d)
{
	TRY(find_strangers(d));
	TRY(check_mortal(d));
	return check_sessions(d);
}
