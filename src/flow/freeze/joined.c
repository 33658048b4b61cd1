/* SPDX-License-Identifier: GPL-2.0-only */
/* Who lives in the pid namespaces of the tree but is none of its descendants. */
#include "flow/freeze/joined.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/table.h"
#include "base/text.h"
#include "base/vector.h"
#include "kern/proc/proc.h"
#include "kern/proc/stat.h"
#include "kern/proc/status.h"
#include "session/loss.h"
#include "session/survey.h"
#include "task/pid-space.h"

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

struct stranger {
	pid_t pid;
	struct proc_stat stat;
	bool visits; /* a job of somebody's terminal outside */
};

/* False if it is none, or gone. */
static bool look_at(const struct dump *d, pid_t pid, struct stranger *ret)
{
	AUTO_CLOSE int proc = proc_open(pid);
	AUTO(proc_status_done) struct proc_status status = { 0 };
	struct stat its;

	if (proc < 0 || fstatat(proc, "ns/pid", &its, 0) < 0 || !ends_with_tree(d, its.st_ino) ||
	    proc_stat_read(proc, &ret->stat) < 0 || strchr("ZX", ret->stat.state) ||
	    proc_status_read(proc, &status) < 0 || !status.n_levels)
		return false;
	ret->pid = pid;
	ret->visits = !status.ns_sid[status.n_levels - 1] && ret->stat.tty_nr;
	return true;
}

/* Its ancestor whose parent is outside. */
static struct stranger find_top(const struct dump *d, const struct stranger *stranger, const struct table *known)
{
	struct stranger top = *stranger, parent;

	while (!table_find(known, (uint64_t)top.stat.ppid) && look_at(d, top.stat.ppid, &parent))
		top = parent;
	return top;
}

static int leave_stranger(struct dump *d, const struct stranger *stranger, const struct stranger *top,
			  struct joined *joined)
{
	const struct task *root = d->tree->root;

	if (table_set(joined->told, (uint64_t)stranger->pid, joined->told))
		return 0;
	if (d->options->joined == OPT_JOINED_REFUSE)
		return dump_go_on(
			d, refuse(EBUSY,
				  "process %d (%s) came into a pid namespace of the tree from outside (by exec?) and "
				  "would end with process %d: end it, or dump with --joined save or leave",
				  stranger->pid, stranger->stat.comm, root->pid));
	dump_report_loss(d,
			 "process %d (%s) in a pid namespace of the tree: it is no descendant of process %d (was it "
			 "put there by exec?)%s, and ends with it",
			 stranger->pid, stranger->stat.comm, root->pid,
			 top->visits ? ", it belongs to a session and a terminal outside" : "");
	return 0;
}

static int sort_stranger(struct dump *d, pid_t pid, const struct table *known, struct joined *joined)
{
	struct stranger stranger, top;
	struct task *parent;

	if (table_find(known, (uint64_t)pid) || !look_at(d, pid, &stranger) || is_ours(pid))
		return 0;
	top = find_top(d, &stranger, known);
	parent = table_find(known, (uint64_t)top.stat.ppid);
	if (parent) {
		joined->again |= !parent->dump->unstopped;
		return 0;
	}
	if (d->options->joined != OPT_JOINED_SAVE || top.visits)
		return leave_stranger(d, &stranger, &top, joined);
	if (top.pid == pid)
		*vector_push(joined) = pid;
	return 0;
}

int joined_find(struct dump *d, struct joined *joined)
{
	const struct task *root = d->tree->root;
	AUTO(table_destroy) struct table *known = NULL;
	AUTO_CLOSEDIR DIR *dir = NULL;
	struct dirent *entry;
	struct task *task;

	joined->n = 0;
	joined->again = false;
	if ((root->vpid != 1 || root->pid == 1) && !d->tree->pid_spaces)
		return 0;
	if (!joined->told)
		joined->told = table_create();
	known = table_create();
	for_each_task(task, d->tree)
		(void)table_set(known, (uint64_t)task->pid, task); /* no older value */
	dir = opendir("/proc");
	if (!dir)
		return fail_errno("opening /proc");
	while ((entry = readdir(dir))) {
		int pid;

		if (text_to_int(entry->d_name, &pid) == 0 && pid > 0)
			TRY(sort_stranger(d, pid, known, joined));
	}
	return 0;
}

void joined_done(struct joined *joined)
{
	free(joined->items);
	table_destroy(&joined->told);
}
