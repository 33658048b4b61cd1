/* SPDX-License-Identifier: GPL-2.0-only */
/* Who has which number inside and outside of pid namespaces. */
#include "flow/number.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/table.h"
#include "image/inventory.h"
#include "kern/proc/children.h"
#include "kern/proc/proc.h"
#include "lib/compel/restorer.h"
#include "lib/compel/tracee.h"
#include "session/loss.h"
#include "session/survey.h"
#include "task/pid-space.h"

static pid_t *copy_numbers(struct task_tree *tree, const pid_t *numbers, unsigned n)
{
	pid_t *copy = n ? pool_array(tree->pool, pid_t, n) : NULL;

	if (n)
		memcpy(copy, numbers, n * sizeof(*numbers));
	return copy;
}

/* By its descriptor; NULL for that of the tree. */
static int find_space(struct dump *d, int ns, ino_t of_tree, struct pid_space **ret)
{
	AUTO_CLOSE int around = -1;
	struct pid_space *space, *parent;
	struct stat st;

	*ret = NULL;
	if (fstat(ns, &st) < 0)
		return fail_errno("looking at its pid namespace");
	if (st.st_ino == of_tree)
		return 0;
	for_each_pid_space(space, d->tree)
	{
		if (space->inode != st.st_ino)
			continue;
		*ret = space;
		return 0;
	}
	around = ioctl(ns, NS_GET_PARENT);
	if (around < 0)
		return fail_errno("asking for the pid namespace around its own");
	TRY(find_space(d, around, of_tree, &parent));
	*ret = pid_space_add(d->tree, parent);
	(*ret)->inode = st.st_ino;
	return 0;
}

static int find_space_of(struct dump *d, const struct task *task, const char *name, struct pid_space **ret)
{
	AUTO_CLOSE int ns = openat(task->dump->proc, name, O_RDONLY | O_CLOEXEC);

	if (ns < 0)
		return errno == ENOENT ? -ENOENT : fail_errno("opening %s", name);
	return find_space(d, ns, d->facts->pid_namespace, ret);
}

static ino_t inode_of_children(const struct thread *thread)
{
	char path[64];
	ino_t inode = 0;

	snprintf(path, sizeof(path), "task/%d/ns/pid_for_children", thread->tid);
	(void)proc_namespace(thread->task->dump->proc, path, &inode); /* 0: of one that has no first process */
	return inode;
}

/* The whole tree is in one pid namespace, and so will be all its children. */
static bool all_share_with(const struct task *task, const struct task *root)
{
	const struct thread *thread;

	if (root->pid_space || root->children_space || root->children_unborn || task->pid_space)
		return false;
	for_each_thread(thread, task)
		if (!thread->dump || !thread->dump->shares.namespaces)
			return false;
	return true;
}

/* Which pid namespace its next children are born into. There is no file of one that has no first process. */
static int find_children_space(struct dump *d, struct task *task)
{
	const struct thread *thread;
	ino_t inode;
	int error;

	task->children_space = task->pid_space;
	if (!task_is_live(task) || all_share_with(task, d->tree->root))
		return 0;
	inode = inode_of_children(task->leader);
	for_each_thread(thread, task)
		if (thread != task->leader && thread->dump && !d->progress->tasks_run &&
		    !thread->dump->shares.namespaces && inode_of_children(thread) != inode)
			return refuse(EOPNOTSUPP, "its threads make children in different pid namespaces: that cannot "
						  "be checkpointed yet");
	if (inode && inode == (task->pid_space ? task->pid_space->inode : d->facts->pid_namespace))
		return 0;
	error = find_space_of(d, task, "ns/pid_for_children", &task->children_space);
	if (error != -ENOENT)
		return error;
	task->children_unborn = true;
	if (task->n_threads > 1)
		return refuse(EOPNOTSUPP, "the next child of each of its threads is born into a pid namespace that is "
					  "not there yet: that cannot be checkpointed yet");
	dump_report_loss(d, "its next child is born into another pid namespace; whether that is new, or its first "
			    "process has ended and no more are born, cannot be seen: it will be new");
	return 0;
}

static int number_task(struct dump *d, struct task *task)
{
	AUTO(proc_status_done) struct proc_status own = { 0 };
	const struct proc_status *status = task->leader->dump ? &task->leader->dump->status : &own;
	struct thread *thread;
	size_t level = d->facts->pid_level;
	unsigned depth;

	LOG_SCOPE("task %d (%s)", task->pid, task->comm);
	if (!task->leader->dump)
		TRY(proc_status_read(task->dump->proc, &own));
	if (status->n_levels <= level)
		return refuse(EINVAL, "it is in none of the pid namespaces of the tree");
	depth = (unsigned)(status->n_levels - 1 - level);
	task->vpid = task->leader->vtid = status->ns_tgid[level];
	task->vsid = status->ns_sid[level];
	task->vpgid = status->ns_pgid[level];
	if (depth)
		TRY(find_space_of(d, task, "ns/pid", &task->pid_space));
	task->inner_sids = copy_numbers(d->tree, status->ns_sid + level + 1, depth);
	task->inner_pgids = copy_numbers(d->tree, status->ns_pgid + level + 1, depth);
	task->leader->inner_tids = copy_numbers(d->tree, status->ns_tgid + level + 1, depth);
	for_each_thread(thread, task) {
		if (thread == task->leader || !thread->dump)
			continue;
		thread->vtid = thread->dump->status.ns_pid[level];
		thread->inner_tids = copy_numbers(d->tree, thread->dump->status.ns_pid + level + 1, depth);
	}
	return find_children_space(d, task);
}

int number_joined(struct dump *d)
{
	struct task *task;

	for_each_task(task, d->tree)
		if (task_top(task)->is_joined)
			TRY(dump_go_on(d, number_task(d, task)));
	return 0;
}

static void lead_session(struct task *task)
{
	unsigned depth = task->pid_space ? task->pid_space->depth : 0;

	task->vsid = task->vpgid = task->vpid;
	for (unsigned i = 0; i < depth; i++)
		task->inner_sids[i] = task->inner_pgids[i] = task->leader->inner_tids[i];
}

/* A namespace that the parent cannot be seen from shows no number of its session either. */
static void follow_session(struct task *task, const struct task *parent)
{
	unsigned depth = parent->pid_space ? parent->pid_space->depth : 0;

	task->vsid = parent->vsid;
	if (!task->vpgid)
		task->vpgid = parent->vpgid;
	for (unsigned i = 0; i < depth && task->pid_space == parent->pid_space; i++) {
		task->inner_sids[i] = parent->inner_sids[i];
		task->inner_pgids[i] = task->inner_pgids[i] ?: parent->inner_pgids[i];
	}
}

/*
 * What an engine's exec has started without a session of its own (crun, nsenter), and orphans of it: the leader is not
 * in the tree, and nobody there can see it. The topmost lead a session afterwards.
 */
void number_sessions(struct dump *d)
{
	AUTO(table_destroy) struct table *changed = NULL;
	struct task *task;

	if (!d->facts->inner_pids || !d->tree->root->vsid)
		return;
	for_each_task(task, d->tree) {
		if (task->vsid || (task->vpgid && task->vpgid != task->vpid))
			continue;
		changed = changed ?: table_create();
		(void)table_set(changed, (uint64_t)task->vpid, task);
	}
	if (!changed)
		return;
	for_each_task(task, d->tree) {
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		if (!task->vsid && task->parent && table_find(changed, (uint64_t)task->parent->vpid)) {
			follow_session(task, task->parent);
		} else if (table_find(changed, (uint64_t)task->vpid)) {
			lead_session(task);
			dump_report_loss(d,
					 "its session, which is led from outside: restored, it leads one of its own");
		}
	}
}

/* All of them would end with it. */
int number_check(struct dump *d)
{
	const struct pid_space *space;
	const struct task *task;

	pid_spaces_find_first(d->tree);
	for_each_task(task, d->tree) {
		LOG_SCOPE("task %d (%s)", task->pid, task->comm);
		space = task->pid_space;
		if (space && !space->first)
			TRY(dump_go_on(d, refuse(EOPNOTSUPP, "the first process of its pid namespace is not in the "
							     "tree: dump a tree that has both")));
	}
	for_each_pid_space(space, d->tree) if (!space->first)
		TRY(dump_go_on(d, refuse(EOPNOTSUPP, "the first process of a pid namespace that children are "
						     "born into is not in the tree")));
	return 0;
}

/* A tree with a pid namespace of its own is saved with the numbers that it sees. */
int number_tree(struct dump *d)
{
	AUTO(proc_status_done) struct proc_status own = { 0 };
	const struct task *root = d->tree->root;
	const struct proc_status *status = root->leader->dump ? &root->leader->dump->status : &own;
	struct task *task;
	int error;

	if (!root->dump)
		return 0;
	if (!root->leader->dump) /* it could not be stopped, and all else is looked at */
		TRY(proc_status_read(root->dump->proc, &own));
	d->facts->pid_level = (unsigned)status->n_levels - 1;
	d->facts->inner_pids = d->facts->pid_level > 0;
	error = proc_namespace(d->tree->root->dump->proc, "ns/pid", &d->facts->pid_namespace);
	if (error < 0)
		return fail(-error, "looking at the pid namespace of the root task");
	d->inventory->root_pid = d->facts->inner_pids ? (uint32_t)d->tree->root->pid : 0;
	for_each_task(task, d->tree)
		TRY(dump_go_on(d, number_task(d, task)));
	return 0;
}

/* The number that the tree sees of a process or thread; 0 if it is gone. */
static pid_t inner_pid(const struct restore *r, int proc)
{
	AUTO(proc_status_done) struct proc_status status = { 0 };

	if (proc < 0 || proc_status_read(proc, &status) < 0)
		return 0;
	return r->facts->pid_level < status.n_levels ? status.ns_pid[r->facts->pid_level] : 0;
}

int number_root(struct restore *r)
{
	AUTO_CLOSE int proc = proc_open(r->tree->root->pid);
	AUTO(proc_status_done) struct proc_status status = { 0 };

	if (proc < 0)
		return fail(-proc, "opening /proc/%d", r->tree->root->pid);
	TRY(proc_status_read(proc, &status));
	r->facts->pid_level = (unsigned)status.n_levels - 1;
	return 0;
}

static bool has_numbers(const struct restore *r, const struct thread *thread, int proc)
{
	unsigned depth = thread->task->pid_space ? thread->task->pid_space->depth : 0;
	AUTO(proc_status_done) struct proc_status status = { 0 };

	return proc >= 0 && proc_status_read(proc, &status) == 0 &&
	       status.n_levels == r->facts->pid_level + depth + 1 &&
	       status.ns_pid[r->facts->pid_level] == thread->vtid &&
	       (!depth || !memcmp(status.ns_pid + r->facts->pid_level + 1, thread->inner_tids, depth * sizeof(pid_t)));
}

bool number_is_right(const struct restore *r, const struct thread *thread, const struct task *parent)
{
	AUTO(proc_pids_done) struct proc_pids pids = { 0 };
	bool leader = thread == thread->task->leader;
	const struct task *holder = leader ? parent : thread->task;

	if ((leader ? proc_children_read : proc_threads_read)(holder->restore->proc, &pids) < 0)
		return false;
	for (size_t i = 0; i < pids.n; i++) {
		AUTO_CLOSE int proc =
			leader ? proc_open(pids.items[i]) : proc_open_thread(holder->restore->proc, pids.items[i]);

		if (has_numbers(r, thread, proc))
			return true;
	}
	return false;
}

static bool is_numbered(const struct task *parent, pid_t pid)
{
	const struct task *child;

	for_each_child(child, parent)
		if (child->pid == pid)
			return true;
	return false;
}

int number_new_task(struct restore *r, struct task *task, const struct task *parent)
{
	AUTO(proc_pids_done) struct proc_pids pids = { 0 };
	struct task *child;

	if (task->pid)
		return 0; /* found while a sibling was looked for */
	TRY(proc_children_read(parent->restore->proc, &pids));
	for (size_t i = 0; i < pids.n; i++) {
		AUTO_CLOSE int proc = -1;
		pid_t inner;

		if (is_numbered(parent, pids.items[i]))
			continue;
		proc = proc_open(pids.items[i]);
		inner = inner_pid(r, proc);
		for_each_child(child, parent)
			if (child->vpid == inner && !child->pid)
				child->pid = pids.items[i];
	}
	return task->pid ? 0 : fail(ESRCH, "the new task %d has died before it began", task->vpid);
}

int number_new_threads(struct restore *r, struct task *task)
{
	AUTO(proc_pids_done) struct proc_pids tids = { 0 };
	struct thread *thread;

	TRY(proc_threads_read(task->restore->proc, &tids));
	for (size_t i = 0; i < tids.n; i++) {
		AUTO_CLOSE int proc = proc_open_thread(task->restore->proc, tids.items[i]);
		pid_t inner = inner_pid(r, proc);

		for_each_thread(thread, task)
			if (thread->vtid == inner)
				thread->tid = tids.items[i];
	}
	for_each_thread(thread, task) {
		if (!thread->tid)
			return fail(ESRCH, "the new thread %d has died before it began", thread->vtid);
		restorer_set_tid(thread->remote, thread->tid);
	}
	return 0;
}

void number_reap(struct task_tree *tree, const struct task *spared)
{
	AUTO_FREE pid_t *tids = xzalloc(tree->n_threads * sizeof(*tids));
	struct deadline soon = deadline_in_seconds(GRACE_NUMBER_S);
	struct thread *thread;
	struct task *task;
	size_t n = 0;

	for_each_task(task, tree) {
		for_each_thread(thread, task) {
			pid_t tid = thread == task->leader ? task->pid : thread->tid;

			if (tid > 0 && task != spared && !(task == tree->root && thread == task->leader))
				tids[n++] = tid;
		}
	}
	tracee_reap_all(tids, n, &soon);
}
