/* SPDX-License-Identifier: GPL-2.0-only */
/* Stopping a tree: parents before children, until no new thread or child turns up. */
#include "flow/freeze/freeze.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/grace.h"
#include "base/log.h"
#include "base/table.h"
#include "base/urgent.h"
#include "engine/engine.h"
#include "base/pool.h"
#include "flow/dump/state.h"
#include "flow/freeze/freeze-threads.h"
#include "flow/freeze/freezer.h"
#include "flow/freeze/joined.h"
#include "flow/freeze/last-threads.h"
#include "flow/freeze/shared-objects.h"
#include "flow/number.h"
#include "flow/freeze/reaper.h"
#include "flow/freeze/served.h"
#include "flow/freeze/servers.h"
#include "kern/proc/file-iter.h"
#include "kern/task-iter.h"
#include "kern/pidfd.h"
#include "kern/proc/children.h"
#include "kern/proc/proc.h"
#include "lib/compel/tracee.h"
#include "lib/compel/watch.h"
#include "plugin/plugin.h"
#include "session/stats.h"
#include "session/survey.h"

#define KERNEL_THREAD 0x00200000 /* PF_KTHREAD in linux/sched.h of the kernel's source */

static int read_identity(struct dump *d, struct task *task)
{
	struct proc_stat *stat = &task->dump->stat;
	int error = proc_stat_read(task->dump->proc, stat);

	if (error == -ENOENT)
		return -ESRCH; /* just gone */
	TRY(error);
	snprintf(task->comm, sizeof(task->comm), "%.16s", stat->comm);
	task->vsid = stat->session;
	task->vpgid = stat->pgrp;
	return 0;
}

/* It ended and its parent does not want to know. */
static void forget_task(struct dump *d, struct task *task)
{
	if (task->dump->proc >= 0)
		close(task->dump->proc);
	if (task->dump->pidfd >= 0)
		close(task->dump->pidfd);
	task_tree_remove(d->tree, task);
}

static int refuse_hopeless(const struct task *task)
{
	if (task->pid == getpid())
		return refuse(EDEADLK,
			      "this is criu itself, and it cannot stop itself: start it from outside of the tree");
	if (task->dump->stat.flags & KERNEL_THREAD)
		return refuse(EINVAL, "it is a thread of the kernel: there is nothing to save");
	return 0;
}

static bool is_dead(const struct task *task)
{
	return task->dump->stat.state == 'Z' || task->dump->stat.state == 'X';
}

/* The other threads of a process that exits may take longer than the main one: as long as they do not get a CPU. */
static int wait_last_threads(struct dump *d, struct task *task)
{
	uint64_t cpu_ns = 0;

	for (unsigned ms = 0; is_dead(task) && task->dump->stat.threads > 1; ms += others_live(task, &cpu_ns)) {
		if (ms == GRACE_LIVING_MS || deadline_passed(&d->progress->deadline))
			return refuse(
				EOPNOTSUPP,
				"its main thread has ended but others still run: this cannot be checkpointed yet");
		TRY(interrupt_check());
		usleep(1000);
		TRY(read_identity(d, task));
	}
	/* The state may be that of the old main thread, and the number of threads from after its end. */
	TRY(read_identity(d, task));
	return is_dead(task) && task->dump->stat.threads > 1 ? wait_last_threads(d, task) : 0;
}

static void forget_other_threads(struct dump *d, struct task *task)
{
	struct thread *thread, *next;

	list_for_each_safe(thread, next, &task->threads, sibling)
		if (thread != task->leader)
			task_remove_thread(d->tree, thread);
	task->leader->dump = NULL;
}

/*
 * Its main thread has ended, maybe while we were about to stop it. Returns 0 with the state set, -ESRCH if it is gone
 * altogether, or 1 if it runs on: another of its threads has executed a program, and is the main thread now.
 */
static int take_dead(struct dump *d, struct task *task)
{
	TRY(read_identity(d, task));
	TRY(wait_last_threads(d, task));
	if (!is_dead(task))
		return 1;
	forget_other_threads(d, task); /* those that we attached to before it ended */
	task->state = TASK_DEAD;
	return 0;
}

static int check_patience(struct dump *d)
{
	TRY(interrupt_check());
	if (deadline_passed(&d->progress->deadline))
		return refuse(EAGAIN,
			      "criu does not get hold of it in time, as the machine is busy or its threads execute "
			      "programs all the time: try again, or raise --timeout");
	return 0;
}

/* What we held is gone: its main thread is a new one. */
static void begin_anew(struct dump *d, struct task *task)
{
	forget_other_threads(d, task);
	task->dump->was_stopped = false;
	task->dump->stop_signal = 0;
}

/* Each task once: before it is asked to stop, or before its cgroup is frozen. */
static int pause_devices(struct dump *d, pid_t pid)
{
	struct flow_dump *flow = flow_dump_of(d);

	if (!plugins_have(d->plugins, CR_PLUGIN_HOOK__PAUSE_DEVICES))
		return 0;
	if (!flow->paused)
		flow->paused = table_create();
	if (table_set(flow->paused, (uint64_t)pid, flow))
		return 0;
	return plugins_check(d->plugins, plugins_ask(d->plugins, PAUSE_DEVICES, pid));
}

/* Threads that it makes meanwhile are found by freeze_end(). */
static int ask_threads(struct dump *d, struct task *task)
{
	int seized = task->dump->stat.threads == 1 ? seize_new_thread(d, task, task->pid) : seize_new_threads(d, task);

	return seized < 0 ? seized : 0;
}

/* Asks a task to stop. -ESRCH, not logged: it is gone. */
static int freeze_begin(struct dump *d, struct task *task)
{
	int dead;

	task->pid = task->vpid; /* the numbers of the tree itself come later: number_tree() */
	task->dump = pool_new(d->pool, struct task_dump);
	task->dump->pidfd = -1;
	task->dump->proc = proc_open(task->pid);
	if (task->dump->proc < 0)
		return -ESRCH;
	TRY(read_identity(d, task));
	LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
	TRY(refuse_hopeless(task));
	if (is_dead(task)) {
		dead = take_dead(d, task);
		if (dead <= 0)
			return dead;
	}
	if (!d->progress->only_look)
		TRY(pause_devices(d, task->pid));
	while ((task->dump->pidfd = pidfd_of_process(task->pid)) == -ESRCH || task->dump->pidfd == -EINVAL) {
		dead = take_dead(d, task);
		if (dead <= 0)
			return dead;
		TRY(check_patience(d));
	}
	if (task->dump->pidfd < 0)
		return fail(-task->dump->pidfd, "opening a pidfd");
	task->dump->last = freeze_serves_others(d, task);
	return task->dump->last ? 0 : ask_threads(d, task);
}

/* Waits until it stands still, with all threads that it makes meanwhile. */
static int freeze_end(struct dump *d, struct task *task)
{
	int new = 1, error;

	LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
	if (task->state == TASK_DEAD)
		return 0;
	while (new || !task->leader->dump) {
		TRY(check_patience(d));
		error = task->leader->dump ? wait_threads(d, task) : 0;
		if (error == -ESRCH || !task->leader->dump) {
			error = take_dead(d, task);
			if (error <= 0)
				return error;
			begin_anew(d, task);
		}
		TRY(error);
		error = task->leader->dump ? all_stand_still(task) : 0;
		TRY(error);
		if (error)
			break;
		new = seize_new_threads(d, task);
		TRY(new);
		if (new || !task->leader->dump)
			continue;
		TRY(all_stand_still(task));
		if (!leader_stands_still(task))
			begin_anew(d, task);
	}
	TRY(read_statuses(d, task));
	/* Stopped, sid and pgid can no longer change. */
	TRY(read_identity(d, task));
	task->state = task->dump->was_stopped ? TASK_STOPPED : TASK_ALIVE;
	return 0;
}

/* It could not be stopped. What else is in the way of a dump can be seen from outside, but not of criu itself or the
   kernel. Returns 1 if it is kept. */
static int pass_over(struct dump *d, struct task *task, int error)
{
	TRY(dump_go_on(d, error));
	task->dump->unstopped = true;
	task->state = TASK_ALIVE;
	if (task->pid == getpid() || task->dump->stat.flags & KERNEL_THREAD || strchr("ZX", task->dump->stat.state)) {
		forget_task(d, task);
		return 0;
	}
	return 1;
}

static bool is_known(const struct task *parent, pid_t pid)
{
	struct task *child;

	for_each_child(child, parent)
		if (child->pid == pid)
			return true;
	return false;
}

/* Of a stopped task the threads are known. facts: of all that stood still. */
static int read_children(struct dump *d, const struct task *task, const struct task_facts_list *facts,
			 struct proc_pids *pids)
{
	AUTO(task_facts_done) struct task_facts_list own = { 0 };
	const struct thread *thread;

	if (task->dump->unstopped)
		return proc_children_read(task->dump->proc, pids);
	if (!task->dump->stood_still)
		facts = &own;
	if (facts == &own && task->n_threads >= TASK_ITER_WORTH)
		(void)task_iter_read(d->task_iter, task->pid, &own);
	for_each_thread(thread, task) {
		const struct task_facts *known = task_facts_find(facts, thread->tid);
		int error;

		if (known && !known->has_children)
			continue;
		error = proc_children_add(task->dump->proc, thread->tid, pids);
		reaper_note_progress(flow_dump_of(d)->reaper);
		if (error != -ENOENT || task->n_threads == 1) /* it was killed just now */
			TRY(error);
	}
	return 0;
}

static int finish_child(struct dump *d, struct task *child)
{
	int error;

	if (!child->dump->new || child->dump->last)
		return 0;
	child->dump->new = false;
	error = freeze_end(d, child);
	if (error == -ESRCH)
		forget_task(d, child);
	else if (error < 0)
		TRY(pass_over(d, child, error));
	return 0;
}

/*
 * Children are only final when all threads of the parent stand still, but orphans of dying tasks may still join. All
 * children are asked to stop before the first is waited for.
 */
static int freeze_children(struct dump *d, struct task *task, const struct task_facts_list *facts, unsigned *found)
{
	AUTO(proc_pids_done) struct proc_pids pids = { 0 };
	struct task *child, *next;

	if (!task_is_live(task) || task->dump->last)
		return 0;
	TRY(read_children(d, task, facts, &pids));
	for (size_t i = 0; i < pids.n; i++) {
		int error;

		if (is_known(task, pids.items[i]))
			continue;
		child = task_tree_add(d->tree, task, pids.items[i]);
		error = freeze_begin(d, child);
		if (error == -ESRCH) {
			forget_task(d, child);
			continue;
		}
		if (error == 0) {
			child->dump->new = true;
			(*found)++;
			continue;
		}
		error = pass_over(d, child, error);
		TRY(error);
		*found += (unsigned)error;
	}
	list_for_each_safe(child, next, &task->children, sibling)
		TRY(finish_child(d, child));
	return 0;
}

/* All others stand still now, so nobody waits for them. */
static int freeze_last(struct dump *d, unsigned *found)
{
	struct task *task, *next;
	int error;

	for_each_task(task, d->tree) {
		if (!task_is_live(task) || !task->dump->last)
			continue;
		task->dump->last = false;
		task->dump->new = true;
		(*found)++;
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		error = ask_threads(d, task);
		TRY(error == -ESRCH ? 0 : dump_go_on(d, error)); /* gone, as will be found */
	}
	list_for_each_safe(task, next, &d->tree->tasks, all)
		TRY(finish_child(d, task));
	return 0;
}

/* The whole cgroup stands still: all tasks that there are, are asked to stop, and do so when they are thawed. */
static int ask_frozen(struct dump *d)
{
	struct task *task;

	for_each_task(task, d->tree) {
		AUTO(proc_pids_done) struct proc_pids pids = { 0 };

		if (!task_is_live(task))
			continue;
		TRY(proc_children_read(task->dump->proc, &pids));
		for (size_t i = 0; i < pids.n; i++) {
			struct task *child = task_tree_add(d->tree, task, pids.items[i]);
			int error = freeze_begin(d, child);

			child->dump->new = error == 0;
			if (error == -ESRCH)
				forget_task(d, child);
			else
				TRY(error);
		}
	}
	return 0;
}

/* Plugins may have to talk with tasks while they can answer. Who is made meanwhile is asked for when it is found. */
static int pause_tree(struct dump *d, pid_t pid)
{
	AUTO(proc_pids_done) struct proc_pids pids = { 0 };
	AUTO_CLOSE int proc = -1;

	if (!plugins_have(d->plugins, CR_PLUGIN_HOOK__PAUSE_DEVICES))
		return 0;
	TRY(pause_devices(d, pid));
	proc = proc_open(pid);
	if (proc < 0 || proc_children_read(proc, &pids) < 0)
		return 0; /* it has just ended */
	for (size_t i = 0; i < pids.n; i++)
		TRY(pause_tree(d, pids.items[i]));
	return 0;
}

static int freeze_cgroup(struct dump *d)
{
	if (!d->options->freeze_cgroup || d->progress->only_look)
		return 0;
	TRY(pause_tree(d, d->options->pid));
	TRY(freezer_freeze(d->options->freeze_cgroup, &d->progress->deadline, &flow_dump_of(d)->freezer));
	d->was_frozen = flow_dump_of(d)->freezer && freezer_was_frozen(flow_dump_of(d)->freezer);
	return 0;
}

static int freeze_root(struct dump *d)
{
	struct task *root = task_tree_add(d->tree, NULL, d->options->pid);
	int error;

	TRY(freeze_cgroup(d));
	error = freeze_begin(d, root);
	if (flow_dump_of(d)->freezer) {
		int thawed;

		if (error == 0)
			error = ask_frozen(d);
		thawed = freezer_thaw(flow_dump_of(d)->freezer);
		error = error ?: thawed;
	}
	if (error == 0)
		error = freeze_end(d, root);
	if (error == -ESRCH)
		return refuse(ESRCH, "there is no process %d", root->vpid);
	if (error < 0 && (root->dump->stat.flags & KERNEL_THREAD || root->state == TASK_DEAD ||
			  !root->dump->stat.state || freeze_is_ending(root)))
		return error;
	if (error < 0)
		TRY(pass_over(d, root, error));
	return 0;
}

/* Who has no children need not be asked for them. */
static void look_at_all(struct dump *d, struct task_facts_list *facts)
{
	struct task *task;

	if (d->tree->n_threads < TASK_ITER_WORTH || !task_iter_read(d->task_iter, 0, facts))
		return;
	for_each_task(task, d->tree)
		task->dump->stood_still = true;
}

/* Of all descriptors at once, as all stand still. */
static void look_at_files(struct dump *d, const struct task_facts_list *facts)
{
	if (facts->n && d->tree->n_tasks >= FILE_ITER_TASKS)
		(void)file_iter_read_all(d->file_iter, facts, d->tree->n_tasks, true);
}

static int stop_children(struct dump *d)
{
	AUTO(task_facts_done) struct task_facts_list facts = { 0 };
	unsigned found;
	struct task *task;

	do {
		found = 0;
		look_at_all(d, &facts);
		for_each_task(task, d->tree) {
			TRY(freeze_children(d, task, &facts, &found));
			if (found >= TASK_ITER_WORTH)
				break; /* another look at all is less than a file of each */
		}
		if (!found)
			TRY(freeze_last(d, &found));
	} while (found);
	look_at_files(d, &facts);
	return 0;
}

static int stop_tree_below_root(struct dump *d)
{
	TRY(freeze_root(d));
	if (d->tree->root->state == TASK_DEAD)
		return refuse(ESRCH, "process %d is a zombie: there is nothing to save", d->options->pid);
	return stop_children(d);
}

/* A further root. One that ends meanwhile is nobody's loss. */
static int freeze_joined(struct dump *d, pid_t pid)
{
	struct task *task = task_tree_add(d->tree, NULL, pid);
	int error = freeze_begin(d, task);

	if (error == 0)
		error = freeze_end(d, task);
	if (error < 0 && error != -ESRCH)
		return pass_over(d, task, error);
	if (error == -ESRCH || task->state == TASK_DEAD)
		forget_task(d, task);
	else
		log_info("Process %d (%s) came from outside: a further root", pid, task->comm);
	return 0;
}

/* Those that they are known by, the numbers of the tree's pid namespaces, come first. */
static int stop_joined(struct dump *d)
{
	AUTO(joined_done) struct joined joined = { 0 };

	TRY(number_tree(d));
	do {
		TRY(check_patience(d));
		TRY(joined_find(d, &joined));
		for (size_t i = 0; i < joined.n; i++)
			TRY(freeze_joined(d, joined.items[i]));
		if (joined.n || joined.again)
			TRY(stop_children(d));
	} while (joined.n || joined.again);
	TRY(number_joined(d));
	number_sessions(d);
	return number_check(d);
}

/* While it waits for tasks, the reaper sees to their dead children. */
static int with_reaper(struct dump *d, int (*stop)(struct dump *d))
{
	int error;

	flow_dump_of(d)->reaper = reaper_create();
	error = stop(d);
	reaper_destroy(&flow_dump_of(d)->reaper);
	return error;
}

int freeze_tree(struct dump *d)
{
	struct task *task;

	if (d->options->pid == getpid())
		return refuse(EINVAL, "criu cannot checkpoint itself (pid %d)", getpid());
	urgent_begin();
	TRY(phase_pass_dump(d, PHASE_dump_freeze, NULL, NULL));
	if (parasite_watch_await(d->watch) < 0)
		log_warn("should criu be killed, its memory may stay in the tasks until the next dump");
	TRY(served_prepare(d));
	shared_objects_prepare(d);
	tracee_stop_quietly();
	stats_start(d->stats, STATS_FREEZING);
	stats_start(d->stats, STATS_FROZEN);
	TRY(with_reaper(d, stop_tree_below_root));
	for_each_task(task, d->tree)
		if (task->pid == getpid())
			return refuse(EINVAL, "criu itself (pid %d) is below process %d: run it from outside the tree",
				      getpid(), d->options->pid);
	shared_objects_find(d);
	TRY(with_reaper(d, stop_joined));
	stats_stop(d->stats, STATS_FREEZING);
	log_info("Froze %u tasks with %u threads", d->tree->n_tasks, d->tree->n_threads);
	return 0;
}
