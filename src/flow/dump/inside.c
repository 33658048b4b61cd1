/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tasks can tell only themselves. Many are asked side by side: each step is begun in all of them before it is
 * waited for in the first.
 */
#include "flow/dump/inside.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/log.h"
#include "base/pool.h"
#include "engine/engine.h"
#include "flow/dump/leftovers.h"
#include "flow/dump/state.h"
#include "flow/dump/task.h"
#include "lib/compel/parasite.h"
#include "lib/compel/tracee.h"
#include "plan/plan.h"

/* Of more than that, more would only wait for a CPU. */
#define TASKS_MAX   64
#define THREADS_MAX 1024

struct task_inside {
	struct task *task;
	struct parasite_process process;
	size_t size; /* of the plans and the slots */
	struct parasite_opening opening;
	struct parasite_closing closing;
	bool is_opening;
	struct arena *arena;
	struct plan **plans; /* one for each thread that is to be asked */
	unsigned n;
};

/* What is left in a task, and what it takes to come back for it; in the pool. */
struct inside_left {
	struct inside_left *next;
	struct task *task;
	struct parasite_process process;
	struct parasite_left left;
};

struct batch {
	struct dump *d;
	size_t n;
	struct task_inside items[TASKS_MAX];
};

static int for_all(struct batch *batch, int (*step)(struct dump *d, struct task_inside *inside))
{
	for (size_t i = 0; i < batch->n; i++) {
		struct task *task = batch->items[i].task;
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		int error = step(batch->d, &batch->items[i]);

		if (error < 0) {
			task->dump->can_tell = false; /* why, is known */
			return error;
		}
	}
	return 0;
}

/* One plan for each thread; how much room they need must be known before the memory is made. */
static int ask_all(struct dump *d, struct task_inside *inside)
{
	struct task *task = inside->task;
	struct thread *thread;

	inside->plans = xzalloc(task->n_threads * sizeof(*inside->plans));
	for_each_thread(thread, task) {
		struct plan *plan;

		if (thread->dump->like)
			continue;
		plan = inside->plans[inside->n++] = plan_create();
		TRY(phase_dump_ask(d, thread, plan));
		inside->size += plan_size(plan) + 64 + parasite_capacity(thread->dump->state);
	}
	return 0;
}

static int prepare_task(struct dump *d, struct task_inside *inside)
{
	struct task *task = inside->task;
	struct thread_dump *leader = task->leader->dump;

	inside->process = (struct parasite_process){
		.tid = task->pid,
		.proc = task->dump->proc,
		.mem = openat(task->dump->proc, "mem", O_RDWR | O_CLOEXEC),
		.state = { leader->state, leader->alone, leader->sigmask },
		.watch = d->watch,
	};
	if (inside->process.mem < 0)
		return fail_errno("opening its memory");
	TRY(ask_all(d, inside));
	TRY(parasite_find_place(inside->process.mem, task->pid, &task->dump->mappings, leader->state, d->parasite_cache,
				&inside->process.place));
	return leftovers_unmap(task, &inside->process);
}

static int begin_opening(struct dump *d, struct task_inside *inside)
{
	TRY(parasite_arena_open_begin(&inside->opening, &inside->process, inside->size));
	inside->opening.call.deadline = d->progress->deadline;
	inside->is_opening = true;
	return 0;
}

static int go_on_opening(struct dump *d, struct task_inside *inside)
{
	return parasite_call_go_on(&inside->opening.call);
}

static int end_opening(struct dump *d, struct task_inside *inside)
{
	inside->is_opening = false;
	return parasite_arena_open_end(&inside->opening, &inside->arena);
}

static int send_plans(struct dump *d, struct task_inside *inside)
{
	struct task *task = inside->task;
	struct thread *thread;
	unsigned i = 0;

	for_each_thread(thread, task) {
		if (thread->dump->like)
			continue;
		TRY(parasite_open(inside->arena, thread->tid,
				  &(struct parasite_state){ thread->dump->state, thread->dump->alone,
							    thread->dump->sigmask },
				  &thread->remote));
	}
	for_each_thread(thread, task)
		if (!thread->dump->like)
			TRY(remote_post(thread->remote, inside->plans[i++]));
	return 0;
}

/* The other CPUs run the plans meanwhile. */
static int look_aside(struct dump *d, struct task_inside *inside)
{
	return dump_task_aside(d, inside->task);
}

static int hear_answers(struct dump *d, struct task_inside *inside)
{
	const bool is_heard = !d->progress->only_look; /* else nobody listens any more */
	struct thread *thread;

	for_each_thread(thread, inside->task)
		if (!thread->dump->like)
			TRY(remote_wait(thread->remote, &d->progress->deadline));
	TRY(phase_pass_dump(d, PHASE_dump_inside, NULL, NULL));
	for_each_thread(thread, inside->task)
		TRY(thread->dump->like ? phase_dump_told(d, thread) : phase_dump_answer(d, thread));
	if (is_heard)
		inside->task->dump->can_tell = false; /* it has told all */
	return 0;
}

static int run_batch(struct batch *batch)
{
	TRY(for_all(batch, prepare_task));
	TRY(for_all(batch, begin_opening));
	TRY(for_all(batch, go_on_opening));
	TRY(for_all(batch, end_opening));
	TRY(for_all(batch, send_plans));
	TRY(for_all(batch, look_aside));
	return for_all(batch, hear_answers);
}

/* It is to be let go from wherever it is, as soon as it stands. */
static void give_up(struct task *task)
{
	task->leader->dump->held = false;
	(void)tracee_interrupt(task->pid); /* logged */
}

static void leave_task(struct task_inside *inside, const struct deadline *soon, int *error)
{
	struct thread *thread;
	int result = 0;

	if (inside->is_opening) {
		inside->opening.call.deadline = *soon;
		result = end_opening(NULL, inside);
		if (result == -ETIMEDOUT)
			give_up(inside->task);
	}
	*error = *error ?: result;
	for_each_thread(thread, inside->task)
		if (thread->remote)
			parasite_catch_begin(thread->remote);
}

/* A thread that cannot be caught keeps the memory that it runs in. */
static int catch_all(struct task_inside *inside)
{
	struct deadline soon = deadline_in_seconds(GRACE_HOME_S);
	struct thread *thread;
	int error = 0;

	for_each_thread(thread, inside->task) {
		int caught = thread->remote ? parasite_catch(thread->remote, &soon) : 0;

		error = error ?: caught;
		thread->remote = NULL;
	}
	return error;
}

static void leave_arena(struct dump *d, struct task_inside *inside)
{
	struct inside_left *left = pool_new(d->pool, struct inside_left);

	*left = (struct inside_left){ flow_dump_of(d)->left, inside->task, inside->process,
				      parasite_arena_leave(&inside->arena) };
	left->process.mem = -1;
	flow_dump_of(d)->left = left;
}

void dump_inside_clear(struct dump *d)
{
	for (struct inside_left *left = TAKE_PTR(flow_dump_of(d)->left); left; left = left->next) {
		AUTO_CLOSE int mem = openat(left->process.proc, "mem", O_RDWR | O_CLOEXEC);

		LOG_SCOPE("task %d (%s)", left->task->vpid, left->task->comm);
		left->process.mem = mem;
		if (mem < 0 || parasite_left_remove(&left->left, &left->process) < 0)
			log_warn("memory of criu stays in it until the next dump");
	}
}

void dump_inside_forget(struct dump *d)
{
	for (struct inside_left *left = TAKE_PTR(flow_dump_of(d)->left); left; left = left->next)
		parasite_left_forget(&left->left, d->watch);
}

/* Brings all threads home, whatever happened. */
static int leave_all(struct batch *batch, bool leave_arenas)
{
	const struct deadline soon = deadline_in_seconds(GRACE_HOME_S);
	int error = 0;

	for (size_t i = 0; i < batch->n; i++)
		leave_task(&batch->items[i], &soon, &error);
	for (size_t i = 0; i < batch->n; i++) {
		struct task_inside *inside = &batch->items[i];
		LOG_SCOPE("task %d (%s)", inside->task->vpid, inside->task->comm);
		int caught = catch_all(inside);

		error = error ?: caught;
		if (inside->arena && !caught && leave_arenas)
			leave_arena(batch->d, inside);
		else if (inside->arena && !caught)
			(void)parasite_arena_close_begin(&inside->closing, &inside->arena, &inside->process);
	}
	for (size_t i = 0; i < batch->n; i++)
		if (batch->items[i].closing.arena)
			(void)parasite_call_go_on(&batch->items[i].closing.call); /* the end tells */
	for (size_t i = 0; i < batch->n; i++) {
		LOG_SCOPE("task %d (%s)", batch->items[i].task->vpid, batch->items[i].task->comm);
		int closed = batch->items[i].closing.arena ? parasite_arena_close_end(&batch->items[i].closing) : 0;

		error = error ?: closed;
	}
	return error;
}

static void inside_done(struct task_inside *inside)
{
	for (unsigned i = 0; i < inside->n; i++)
		plan_destroy(&inside->plans[i]);
	free(inside->plans);
	if (inside->process.mem >= 0)
		close(inside->process.mem);
}

/* Two that share memory would use the same place on the stack. */
static bool fits_into(const struct batch *batch, unsigned threads, const struct task *task)
{
	if (batch->n == TASKS_MAX || (batch->n && threads + task->n_threads > THREADS_MAX))
		return false;
	for (size_t i = 0; i < batch->n; i++)
		if (batch->items[i].task->ids->vm_id == task->ids->vm_id)
			return false;
	return true;
}

static int ask_them(struct batch *batch)
{
	int error = run_batch(batch), error2 = leave_all(batch, error == 0 && flow_dump_of(batch->d)->will_kill);

	for (size_t i = 0; i < batch->n; i++)
		inside_done(&batch->items[i]);
	batch->n = 0;
	return error ? error : error2;
}

static int ask_batch(struct batch *batch)
{
	if (batch->d->progress->only_look) { /* since the last batch: the others are not asked any more */
		batch->n = 0;
		return 0;
	}
	return ask_them(batch);
}

int dump_inside(struct dump *d)
{
	AUTO_FREE struct batch *batch = xzalloc(sizeof(*batch));
	unsigned threads = 0;
	struct task *task;

	batch->d = d;
	for_each_task(task, d->tree) {
		if (!task_is_live(task) || !task->dump->can_tell)
			continue;
		if (!fits_into(batch, threads, task)) {
			TRY(ask_batch(batch));
			threads = 0;
		}
		batch->items[batch->n++] = (struct task_inside){ .task = task, .process.mem = -1 };
		threads += task->n_threads;
	}
	return ask_batch(batch);
}
