/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a bare task with private memory to one that has all that it holds. Several run their plans while that of the
 * next is made.
 */
#include "flow/restore/contents.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "engine/engine.h"
#include "flow/number.h"
#include "flow/restore/birth.h"
#include "flow/restore/next-pid.h"
#include "flow/restore/pid-wait.h"
#include "lib/compel/restorer.h"
#include "plan/plan.h"
#include "session/session.h"

#define SLOT_PIDFD 1

/* A pidfd of ours, in the task, at a number that its table leaves free. */
static void plan_coordinator(struct restore *r, struct task *task, struct plan *plan)
{
	const int number = task->restore->coordinator_fd;

	if (task->restore->files_from || r->us > 0)
		return; /* there it is already */
	restorer_plan_find_us(plan, r->us, SLOT_PIDFD);
	plan_syscall(plan, "keep criu's pidfd out of the way", __NR_dup3, S(SLOT_PIDFD), V(number), V(O_CLOEXEC));
	plan_syscall(plan, "close the first pidfd", __NR_close, S(SLOT_PIDFD));
}

/* The threads that a leader has to make, in the order of the task's list. */
struct making {
	size_t *result; /* of the step */
	bool *made;
	struct plan **parts; /* what each runs as soon as it is there; NULL: nothing */
	size_t n;
};

static void making_init(struct making *making, size_t n)
{
	*making = (struct making){
		.result = xzalloc(n * sizeof(*making->result)),
		.made = xzalloc(n * sizeof(*making->made)),
		.parts = xzalloc(n * sizeof(struct plan *)),
		.n = n,
	};
}

static void making_done(struct making *making)
{
	for (size_t i = 0; i < making->n; i++)
		plan_destroy(&making->parts[i]);
	free(making->result);
	free(making->made);
	free(making->parts);
}

/* Its plan can be made before it is: its number is known, and it need not be in its cgroup, where other nodes of memory
 * are allowed. */
static bool can_begin_early(const struct restore *r, const struct thread *thread)
{
	return !r->facts->inner_pids && !next_pid_is_used(r, thread->task, thread->task) &&
	       !thread->core->thread_core->has_memory_policy;
}

/* A thread that finds its plan waiting need not be woken for it, and runs it while its creator makes the next one. */
static int post_parts(struct restore *r, struct thread *thread, struct plan **ret)
{
	*ret = plan_create();
	TRY(phase_restore_plan(r, thread, *ret));
	return remote_post_unborn(thread->remote, *ret);
}

static int prepare_thread(struct restore *r, struct thread *thread, struct plan **ret_parts)
{
	TRY(birth_prepare(r, thread, 0));
	return can_begin_early(r, thread) ? post_parts(r, thread, ret_parts) : 0;
}

/* Steps for those that are not made yet. */
static int plan_threads(struct restore *r, struct task *task, struct making *making, struct plan *plan)
{
	struct thread *thread;
	unsigned i = 0;

	for_each_thread(thread, task) {
		if (thread == task->leader)
			continue;
		if (!thread->remote)
			TRY(prepare_thread(r, thread, &making->parts[i]));
		if (!making->made[i] && !next_pid_is_used(r, task, task))
			TRY(restorer_plan_clone(plan, thread->remote, THREAD_FLAGS, 0, &making->result[i]));
		i++;
	}
	return 0;
}

/* How the steps went. *ret_taken: a tid that was in use, 0 if there was none. */
static int see_made(const struct restore *r, const struct task *task, struct making *making, pid_t *ret_taken)
{
	struct thread *thread;
	unsigned i = 0;

	*ret_taken = 0;
	if (next_pid_is_used(r, task, task))
		return 0;
	for_each_thread(thread, task) {
		int64_t result;

		if (thread == task->leader)
			continue;
		result = making->made[i] ? 0 : remote_value(task->leader->remote, making->result[i]);
		making->made[i++] = result >= 0;
		if (result == -EEXIST)
			*ret_taken = thread->vtid;
		else if (result < 0)
			return fail((int)-result, "making thread %d", thread->vtid);
	}
	return 0;
}

/*
 * The threads that could not be made at first. The process that has just been dumped and killed can be gone for its
 * parent while the numbers of its threads are still in use: since Linux 6.15 the kernel gives them back after it has
 * told the parent.
 */
static int make_the_rest(struct restore *r, struct task *task, struct making *making)
{
	unsigned waited_ms = 0;
	pid_t taken;

	TRY(see_made(r, task, making, &taken));
	while (taken) {
		AUTO(plan_destroy) struct plan *plan = plan_create();

		TRY(restore_wait_for_pid(r, taken, &waited_ms));
		TRY(plan_threads(r, task, making, plan));
		TRY(remote_run(task->leader->remote, plan, &r->progress->deadline));
		TRY(see_made(r, task, making, &taken));
	}
	return 0;
}

static int make_one_by_one(struct restore *r, struct task *task)
{
	struct thread *thread;

	for_each_thread(thread, task)
		if (thread != task->leader)
			TRY(next_pid_make(r, task, thread));
	return 0;
}

static int wait_threads(struct restore *r, struct task *task)
{
	struct thread *thread;

	if (r->facts->inner_pids && task->n_threads > 1)
		TRY(number_new_threads(r, task));
	for_each_thread(thread, task) {
		TRY(restorer_wait_arrival(thread->remote, &r->progress->deadline));
		if (!r->facts->inner_pids)
			thread->tid = thread->vtid;
	}
	return 0;
}

static int wait_parts(struct restore *r, struct task *task, const struct making *making)
{
	struct thread *thread;
	unsigned i = 0;

	for_each_thread(thread, task) {
		if (thread == task->leader || !making->parts[i++])
			continue;
		TRY(remote_wait(thread->remote, &r->progress->deadline));
		thread->restore->has_parts = true;
	}
	return 0;
}

/* More would only wait for a CPU, and keep descriptors of ours open. */
#define AT_ONCE 16

struct furnishing {
	struct task *task; /* NULL: nobody */
	struct plan *plan;
	struct making making;
};

static void furnishing_done(struct furnishing *furnishing)
{
	plan_destroy(&furnishing->plan);
	making_done(&furnishing->making);
	*furnishing = (struct furnishing){ 0 };
}

static int begin_contents(struct restore *r, struct task *task, struct furnishing *furnishing)
{
	LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
	*furnishing = (struct furnishing){
		.task = task,
		.plan = plan_create(),
	};
	making_init(&furnishing->making, task->n_threads);
	plan_coordinator(r, task, furnishing->plan);
	TRY(phase_restore_furnish(r, task, furnishing->plan));
	TRY(plan_threads(r, task, &furnishing->making, furnishing->plan));
	return remote_post_ahead(task->leader->remote, furnishing->plan);
}

static int end_contents(struct restore *r, struct furnishing *furnishing)
{
	struct task *task = furnishing->task;

	LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
	TRY(remote_wait(task->leader->remote, &r->progress->deadline));
	TRY(next_pid_is_used(r, task, task) ? make_one_by_one(r, task) : make_the_rest(r, task, &furnishing->making));
	phase_restore_furnished(r, task);
	log_info("Has its memory and its descriptors; %u threads in all", task->n_threads);
	TRY(wait_threads(r, task));
	TRY(wait_parts(r, task, &furnishing->making));
	TRY(phase_restore_threads(r, task));
	furnishing_done(furnishing);
	return 0;
}

/* Those that run their plans, in the order in which they began. */
struct furnishings {
	struct furnishing items[AT_ONCE];
	size_t begun, ended;
};

static struct furnishing *furnishing_at(struct furnishings *all, size_t number)
{
	return &all->items[number % AT_ONCE];
}

static int end_all(struct restore *r, struct furnishings *all)
{
	while (all->ended < all->begun)
		TRY(end_contents(r, furnishing_at(all, all->ended++)));
	return 0;
}

/* After a failure nobody asks any more how their plans went. */
static void furnishings_done(struct furnishings *all)
{
	for (size_t i = 0; i < AT_ONCE; i++) {
		if (all->items[i].task)
			remote_forget(all->items[i].task->leader->remote);
		furnishing_done(&all->items[i]);
	}
}

/* It needs what another one has by its plan. */
static bool needs_others(const struct task *task)
{
	return task->restore->files_from || task->restore->memory_from;
}

int restore_contents(struct restore *r)
{
	AUTO(furnishings_done) struct furnishings all = { 0 };
	struct task *task;

	for_each_task(task, r->tree) {
		if (!task_is_live(task))
			continue;
		if (needs_others(task))
			TRY(end_all(r, &all));
		else if (all.begun - all.ended == AT_ONCE)
			TRY(end_contents(r, furnishing_at(&all, all.ended++)));
		TRY(begin_contents(r, task, furnishing_at(&all, all.begun++)));
		if (task->n_threads > 1) /* whose numbers are in the results of the plan */
			TRY(end_all(r, &all));
	}
	return end_all(r, &all);
}
