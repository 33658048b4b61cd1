/* SPDX-License-Identifier: GPL-2.0-only */
/* The loops over the parts of a process or thread: in list order. */
#include "object/task/part.h"

#include "base/fail.h"
#include "engine/engine.h"
#include "object/task/host.h"
#include "object/task/self.h"
#include "session/survey.h"

static size_t part_index(const struct task_part *part)
{
	size_t i = 0;

	while (task_parts[i] && task_parts[i] != part)
		i++;
	return i;
}

struct offsets {
	size_t **of_parts;
};

static const struct state_type offsets_state = { sizeof(struct offsets), NULL };

size_t *part_offsets(struct dump *d, struct thread *thread, const struct task_part *part, unsigned n)
{
	struct states *states = &thread->dump->states;
	struct offsets *offsets = state_find(states, &offsets_state) ?: state_make(states, &offsets_state);
	size_t i = part_index(part);

	if (!offsets->of_parts)
		offsets->of_parts = pool_array(d->pool, size_t *, part_index(NULL));
	if (!offsets->of_parts[i])
		offsets->of_parts[i] = pool_array(d->pool, size_t, n);
	return offsets->of_parts[i];
}

/* Whether the part has anything to do with the thread: a zombie has parts of its own, a helper has none. */
static bool concerns_thread(const struct task_part *part, const struct thread *thread)
{
	if (thread->task->state == TASK_HELPER)
		return false;
	return part->for_zombies == (thread->task->state == TASK_DEAD);
}

/* Once for the whole tree. */
#define FOR_TREE(session, hook, direction)                                                                       \
	do {                                                                                                     \
		for (const struct task_part *const *part = task_parts; *part; part++) {                          \
			if (!(*part)->hook)                                                                      \
				continue;                                                                        \
			LOG_SCOPE("%s", (*part)->name);                                                          \
			TRY(phase_pass_##direction(session, PHASE_##direction##_##hook, "task", (*part)->name)); \
			TRY((*part)->hook(session));                                                             \
		}                                                                                                \
		return 0;                                                                                        \
	} while (0)

/* Phases in which the first failure is the end. */
static int stop_dump(struct dump *d, int result)
{
	return result;
}

static int stop_restore(struct restore *r, int result)
{
	return result;
}

/* For one thread; the caller has named the task. */
#define FOR_THREAD(go_on, session, thread, hook, direction, phase, ...)                                           \
	do {                                                                                                      \
		struct log_scope scope __attribute__((cleanup(log_scope_leave))) = { log_scope_current(), "" };   \
                                                                                                                  \
		if ((thread) != (thread)->task->leader)                                                           \
			log_scope_enter(&scope, "thread %d", (thread)->vtid);                                     \
		for (const struct task_part *const *part = task_parts; *part; part++) {                           \
			if (!(*part)->hook || !concerns_thread(*part, thread))                                    \
				continue;                                                                         \
			TRY(phase_pass_##direction(session, PHASE_##direction##_##phase, "task", (*part)->name)); \
			TRY(go_on((session), (*part)->hook(__VA_ARGS__)));                                        \
		}                                                                                                 \
		return 0;                                                                                         \
	} while (0)

int parts_dump_begin(struct dump *d)
{
	TRY(task_host_read(d->states, d->pool));
	FOR_TREE(d, begin, dump);
}

int parts_dump_collect(const struct dump *d)
{
	FOR_TREE(d, collect, dump);
}

int parts_dump_outside(const struct dump *d, struct thread *thread)
{
	FOR_THREAD(dump_go_on, d, thread, outside, dump, outside, d, thread);
}

int parts_dump_ask(struct dump *d, struct thread *thread, struct plan *plan)
{
	FOR_THREAD(stop_dump, d, thread, ask, dump, ask, d, thread, plan);
}

int parts_dump_aside(const struct dump *d, struct thread *thread)
{
	FOR_THREAD(dump_go_on, d, thread, aside, dump, aside, d, thread);
}

int parts_dump_answer(struct dump *d, struct thread *thread)
{
	FOR_THREAD(stop_dump, d, thread, answer, dump, answer, d, thread);
}

int parts_dump_told(struct dump *d, struct thread *thread)
{
	FOR_THREAD(stop_dump, d, thread, told, dump, told, d, thread);
}

int parts_dump_again(struct dump *d, struct thread *thread)
{
	FOR_THREAD(stop_dump, d, thread, again, dump, again, d, thread);
}

int parts_dump_guess(const struct dump *d, struct thread *thread)
{
	FOR_THREAD(dump_go_on, d, thread, guess, dump, guess, d, thread);
}

int parts_dump_finish(const struct dump *d)
{
	FOR_TREE(d, finish, dump);
}

int parts_dump_write(struct dump *d)
{
	FOR_TREE(d, write, dump);
}

int parts_restore_self(const struct restore *r)
{
	if (restore_self_of(r))
		return 0;
	TRY(self_read(r));
	return task_host_read(r->states, r->pool);
}

int parts_restore_load(const struct restore *r)
{
	if (!r->facts->ids) {
		r->facts->groups = restore_self_of(r)->status.groups;
		r->facts->n_groups = restore_self_of(r)->status.n_groups;
	}
	FOR_TREE(r, load, restore);
}

/* What the members of struct task_part may take for granted about records. */
static int check_record(const struct thread *thread)
{
	const struct task *task = thread->task;
	bool leader = thread == task->leader;

	if (!thread->core || (leader && !thread->core->tc) || (task_is_live(task) && !thread->core->thread_core))
		return refuse(EINVAL, "core-%d.img lacks its %s part: the image is damaged", thread->vtid,
			      leader && thread->core && !thread->core->tc ? "process" : "thread");
	return 0;
}

int parts_restore_check(const struct restore *r, struct thread *thread)
{
	TRY(check_record(thread));
	FOR_THREAD(restore_go_on, r, thread, check, restore, check, r, thread);
}

void parts_restore_needs(const struct restore *r)
{
	struct thread *thread;
	struct task *task;

	for_each_task(task, r->tree)
		for_each_thread(thread, task)
			for (unsigned i = 0; task_parts[i]; i++)
				if (task_parts[i]->needs && concerns_thread(task_parts[i], thread))
					task_parts[i]->needs(r, thread);
}

int parts_restore_plan(struct restore *r, struct thread *thread, struct plan *plan)
{
	FOR_THREAD(stop_restore, r, thread, plan, restore, plan, r, thread, plan);
}

int parts_restore_last(struct restore *r, struct thread *thread, struct plan *plan)
{
	FOR_THREAD(stop_restore, r, thread, last, restore, last, r, thread, plan);
}

int parts_restore_settle(struct restore *r, struct thread *thread)
{
	FOR_THREAD(stop_restore, r, thread, settle, restore, home, r, thread);
}
