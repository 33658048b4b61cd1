/* SPDX-License-Identifier: GPL-2.0-only */
/* Who has which number inside and outside of a pid namespace. */
#include "flow/number.h"

#include "base/auto.h"
#include "base/fail.h"
#include "base/grace.h"
#include "kern/proc/children.h"
#include "kern/proc/proc.h"
#include "lib/compel/restorer.h"
#include "lib/compel/tracee.h"
#include "session/survey.h"

static int number_task(struct dump *d, struct task *task)
{
	AUTO(proc_status_done) struct proc_status status = { 0 };
	const struct proc_status *root = &d->tree->root->leader->dump->status;
	struct thread *thread;
	size_t innermost = root->n_levels - 1;

	LOG_SCOPE("task %d (%s)", task->pid, task->comm);
	TRY(proc_status_read(task->dump->proc, &status));
	if (status.n_levels != root->n_levels)
		return refuse(EOPNOTSUPP,
			      "it lives in a pid namespace within that of the tree: that can't be checkpointed yet");
	task->vpid = task->leader->vtid = status.ns_tgid[innermost];
	task->vsid = status.ns_sid[innermost];
	task->vpgid = status.ns_pgid[innermost];
	for_each_thread(thread, task)
		if (thread != task->leader && thread->dump)
			thread->vtid = thread->dump->status.ns_pid[innermost];
	return 0;
}

/* A tree with a pid namespace of its own is saved with the numbers that it sees. */
int number_tree(struct dump *d)
{
	const struct thread_dump *root = d->tree->root->leader->dump;
	struct task *task;

	if (!root || root->status.n_levels < 2)
		return 0;
	d->inner_pids = true;
	for_each_task(task, d->tree)
		TRY(dump_go_on(d, number_task(d, task)));
	return 0;
}

/* The number that a process or thread sees itself; 0 if it is gone. */
static pid_t innermost_pid(int proc)
{
	AUTO(proc_status_done) struct proc_status status = { 0 };

	if (proc < 0 || proc_status_read(proc, &status) < 0)
		return 0;
	return status.ns_pid[status.n_levels - 1];
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
		inner = innermost_pid(proc);
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
		pid_t inner = innermost_pid(proc);

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

void number_reap(struct task_tree *tree)
{
	AUTO_FREE pid_t *tids = xzalloc(tree->n_threads * sizeof(*tids));
	struct deadline soon = deadline_in_seconds(GRACE_NUMBER_S);
	struct thread *thread;
	struct task *task;
	size_t n = 0;

	for_each_task(task, tree) {
		for_each_thread(thread, task) {
			pid_t tid = thread == task->leader ? task->pid : thread->tid;

			if (tid > 0 && !(task == tree->root && thread == task->leader))
				tids[n++] = tid;
		}
	}
	tracee_reap_all(tids, n, &soon);
}
