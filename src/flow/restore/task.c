/* SPDX-License-Identifier: GPL-2.0-only */
/* From a task that has all of its contents to one that can be let go. */
#include "flow/restore/task.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch_regs.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "engine/engine.h"
#include "flow/restore/tree.h"
#include "lib/compel/restorer.h"
#include "lib/compel/tracee.h"
#include "plan/plan.h"

/* Appends steps for one thread; run with all others. */
typedef int (*plan_thread_t)(struct restore *r, struct thread *thread, struct plan *plan);

/* Whose turn it is: all threads, leaders, or all but them; of one task, or of all that do not stand already. */
struct thread_choice {
	enum { EVERY_THREAD, LEADERS, FOLLOWERS } who;
	const struct task *task; /* NULL = all */
	enum { ANY_TABLE, OWN_TABLE, SHARED_TABLE } table;
};

/* Those that were stopped, or shall be, are stopped before the others are done: see stop_tasks(). */
static bool ends_stopped(const struct restore *r, const struct task *task)
{
	return task_is_live(task) && (task->state == TASK_STOPPED || r->options->end == OPT_END_STOP);
}

static bool is_meant(const struct restore *r, const struct thread *thread, const struct thread_choice *choice)
{
	if (choice->task ? choice->task != thread->task : choice->who != EVERY_THREAD && ends_stopped(r, thread->task))
		return false;
	if (choice->table != ANY_TABLE && !thread->task->restore->files_from != (choice->table == OWN_TABLE))
		return false;
	return choice->who == EVERY_THREAD || (thread == thread->task->leader) == (choice->who == LEADERS);
}

struct posted_plan {
	struct thread *thread;
	struct plan *plan;
	bool empty; /* nobody was woken for it */
};

static int post_plan(struct restore *r, struct posted_plan *posted, plan_thread_t plan_thread)
{
	LOG_SCOPE("task %d (%s)", posted->thread->task->vpid, posted->thread->task->comm);
	posted->plan = plan_create();
	TRY(plan_thread(r, posted->thread, posted->plan));
	posted->empty = !plan_count(posted->plan);
	return posted->empty ? 0 : remote_post(posted->thread->remote, posted->plan);
}

static int await_plan(struct restore *r, const struct posted_plan *posted)
{
	LOG_SCOPE("task %d (%s)", posted->thread->task->vpid, posted->thread->task->comm);
	return posted->empty ? 0 : remote_wait(posted->thread->remote, &r->progress->deadline);
}

/* One plan for each thread, all running at once. */
static int run_everywhere(struct restore *r, const struct thread_choice *choice, plan_thread_t plan_thread)
{
	unsigned n = 0;
	AUTO_FREE struct posted_plan *posted = xzalloc(r->tree->n_threads * sizeof(*posted));
	struct task *task;
	struct thread *thread;
	int error = 0;

	for_each_task(task, r->tree)
		for_each_thread(thread, task)
			if (task_is_live(task) && is_meant(r, thread, choice))
				posted[n++].thread = thread;
	for (unsigned i = 0; i < n && !error; i++)
		error = post_plan(r, &posted[i], plan_thread);
	for (unsigned i = 0; i < n && !error; i++)
		error = await_plan(r, &posted[i]);
	for (unsigned i = 0; i < n; i++)
		plan_destroy(&posted[i].plan);
	return error;
}

/* Helpers and zombies have died; what their parents heard of it is nothing the program knows of. */
static void plan_flush_sigchld(struct plan *plan)
{
	uint64_t set = 1ull << (SIGCHLD - 1);
	struct timespec now = { 0 };
	size_t at = plan_data(plan, &set, sizeof(set)), time = plan_data(plan, &now, sizeof(now));

	plan_syscall(plan, "forget SIGCHLD of the restore", __NR_rt_sigtimedwait, D(at), V(0), D(time), V(8))->flags |=
		STEP_MAY_FAIL;
}

static int plan_parts(struct restore *r, struct thread *thread, struct plan *plan)
{
	if (thread == thread->task->leader)
		plan_flush_sigchld(plan);
	if (thread->restore->has_parts)
		return 0;
	return phase_restore_plan(r, thread, plan);
}

int restore_parts(struct restore *r)
{
	TRY(run_everywhere(r, &(struct thread_choice){ .who = EVERY_THREAD, .table = OWN_TABLE }, plan_parts));
	/* They borrow descriptors at any free number of that table, which its owner may need for a moment as well. */
	return run_everywhere(r, &(struct thread_choice){ .who = EVERY_THREAD, .table = SHARED_TABLE }, plan_parts);
}

static int plan_last(struct restore *r, struct thread *thread, struct plan *plan)
{
	const struct task *task = thread->task;

	/* Until now the process would have died with criu. What the program wished for is set by its part. */
	if (thread == task->leader)
		plan_syscall(plan, "outlive criu", __NR_prctl, V(PR_SET_PDEATHSIG), V(0));
	if (thread == task->leader && task->restore->coordinator_fd >= 0 && !task->restore->files_from)
		plan_syscall(plan, "close criu's pidfd", __NR_close, V(task->restore->coordinator_fd));
	return phase_restore_last(r, thread, plan);
}

static int attach_all(struct restore *r)
{
	struct task *task;
	struct thread *thread;

	for_each_task(task, r->tree) {
		if (!task_is_live(task))
			continue;
		for_each_thread(thread, task) {
			bool filters =
				thread->core->thread_core->seccomp_mode || task->leader->core->tc->old_seccomp_mode;
			/* From now on it outlives its parent; until it is let go, it still dies with us. */
			int error = tracee_attach(thread->tid, filters, true);

			if (error < 0)
				return fail(-error, "task %d (%s): attaching to its new thread %d", task->vpid,
					    task->comm, thread->tid);
		}
	}
	return 0;
}

/* The leader brings filters to all threads at once. */
static int run_last(struct restore *r, const struct task *only)
{
	TRY(run_everywhere(r, &(struct thread_choice){ .who = LEADERS, .task = only }, plan_last));
	return run_everywhere(r, &(struct thread_choice){ .who = FOLLOWERS, .task = only }, plan_last);
}

/* In an orphaned process group only SIGSTOP stops: signal(7), "a parent in the same session but in another group". */
static bool group_is_orphaned(const struct restore *r, const struct task *task)
{
	const struct task *member;

	for_each_task(member, r->tree)
		if (task_is_live(member) && member->vpgid == task->vpgid && member->parent &&
		    member->parent->vsid == member->vsid && member->parent->vpgid != member->vpgid)
			return false;
	return true;
}

/* Record of the action of a signal above SIGSTOP: SIGKILL and SIGSTOP have none. */
static bool has_default_action(const struct task *task, int signal)
{
	const TaskCoreEntry *tc = task->leader->core->tc;
	size_t i = (size_t)signal - 3;

	return i < tc->n_sigactions && !tc->sigactions[i]->sigaction;
}

/* What its parent hears of, and what shells print. */
static int signal_to_stop(const struct restore *r, const struct task *task)
{
	int signal = (int)task->leader->core->tc->stop_signo;

	if (task->state != TASK_STOPPED || (signal != SIGTSTP && signal != SIGTTIN && signal != SIGTTOU))
		return SIGSTOP;
	if (!group_is_orphaned(r, task) && has_default_action(task, signal))
		return signal;
	log_warn("was stopped by signal %d, and is stopped by SIGSTOP now: its process group is orphaned", signal);
	return SIGSTOP;
}

static int stop_task(struct restore *r, struct task *task)
{
	struct thread *thread;
	int signal;

	LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
	TRY(tracee_stop_by(task->pid, signal_to_stop(r, task), &r->progress->deadline));
	for_each_thread(thread, task)
		TRY(tracee_wait_stop(thread->tid, &r->progress->deadline, &signal));
	return 0;
}

/*
 * Children before parents: these hear of the stop, and forget it in their own last plan. As signals are still blocked,
 * those that wait for a stopped process do not come before it stops.
 */
static int stop_tasks(struct restore *r)
{
	for (struct list *link = r->tree->tasks.prev; link != &r->tree->tasks; link = link->prev) {
		struct task *task = list_entry(link, struct task, all);

		if (!ends_stopped(r, task))
			continue;
		TRY(run_last(r, task));
		TRY(stop_task(r, task));
	}
	return 0;
}

int restore_last(struct restore *r)
{
	TRY(phase_pass_restore(r, PHASE_restore_seize, NULL, NULL));
	tracee_stop_quietly(); /* not before: tasks have the signal actions of their creators */
	TRY(attach_all(r));
	TRY(stop_tasks(r));
	return run_last(r, NULL);
}

static int stop_all(struct restore *r)
{
	struct task *task;
	struct thread *thread;
	int signal;

	for_each_task(task, r->tree) {
		if (!task_is_live(task) || ends_stopped(r, task))
			continue;
		for_each_thread(thread, task)
			TRY(tracee_interrupt(thread->tid));
	}
	for_each_task(task, r->tree) {
		if (!task_is_live(task) || ends_stopped(r, task))
			continue;
		for_each_thread(thread, task)
			TRY(tracee_wait_stop(thread->tid, &r->progress->deadline, &signal));
	}
	return 0;
}

/* From the stop behind a system call to one within the delivery of signals: nothing of the program runs in between. */
static int stop_again(const struct thread *thread)
{
	TRY(arch_state_set_general(thread->tid, thread->restore->state));
	TRY(tracee_interrupt(thread->tid));
	return tracee_continue(thread->tid);
}

static int await_stop_again(struct restore *r, const struct thread *thread)
{
	int signal;

	return tracee_wait_stop(thread->tid, &r->progress->deadline, &signal);
}

/* As long as the arena is there. */
static int wait_again(struct restore *r, struct task *task)
{
	struct thread *thread;

	LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
	for_each_thread(thread, task) {
		const ThreadCoreEntry *record = thread->core->thread_core;

		if (!record->has_wait_left_ns || ends_stopped(r, task))
			continue;
		TRY(restorer_wait_again(thread->remote, thread->restore->state, record->wait_left_ns));
		TRY(stop_again(thread));
		TRY(await_stop_again(r, thread));
	}
	return 0;
}

/* In all tasks with memory of their own. */
static int for_each_owner(struct restore *r, struct restorer_unmapping *unmappings,
			  int (*step)(struct restore *r, struct task *task, struct restorer_unmapping *unmapping))
{
	struct task *task;

	for_each_task(task, r->tree) {
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);

		if (task_is_live(task) && !task->restore->memory_from)
			TRY(step(r, task, unmappings++));
	}
	return 0;
}

static int begin_unmap(struct restore *r, struct task *task, struct restorer_unmapping *unmapping)
{
	uint64_t start = restorer_arena_start(r->arena);

	return restorer_unmap_begin(unmapping, task->leader->remote, task->leader->restore->state, start,
				    r->parking_end - start);
}

static int go_on_unmap(struct restore *r, struct task *task, struct restorer_unmapping *unmapping)
{
	return restorer_unmap_go_on(unmapping);
}

/* A stopped one goes there by itself when it is let go. */
static int end_unmap(struct restore *r, struct task *task, struct restorer_unmapping *unmapping)
{
	TRY(restorer_unmap_end(unmapping));
	return ends_stopped(r, task) ? 0 : stop_again(task->leader);
}

static int await_leader(struct restore *r, struct task *task, struct restorer_unmapping *unmapping)
{
	return ends_stopped(r, task) ? 0 : await_stop_again(r, task->leader);
}

/* The arena goes once for each address space, as long as signals are blocked. */
static int unmap_arenas(struct restore *r)
{
	AUTO_FREE struct restorer_unmapping *unmappings = xmalloc(r->tree->n_tasks * sizeof(*unmappings));

	TRY(for_each_owner(r, unmappings, begin_unmap));
	TRY(for_each_owner(r, unmappings, go_on_unmap));
	TRY(for_each_owner(r, unmappings, end_unmap));
	return for_each_owner(r, unmappings, await_leader);
}

static int settle_task(struct restore *r, struct task *task)
{
	struct thread *thread;

	LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
	for_each_thread(thread, task) {
		TRY(arch_state_set_interrupted(thread->tid, thread->restore->state));
		TRY(phase_restore_home(r, thread));
	}
	return 0;
}

int restore_set_registers(struct restore *r)
{
	struct task *task;

	TRY(stop_all(r));
	for_each_task(task, r->tree)
		if (task_is_live(task))
			TRY(wait_again(r, task));
	TRY(unmap_arenas(r)); /* nothing runs any more */
	for_each_task(task, r->tree)
		if (task_is_live(task))
			TRY(settle_task(r, task));
	return 0;
}
