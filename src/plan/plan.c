/* SPDX-License-Identifier: LGPL-2.1-only */
/* Building plans. Steps and data grow apart; plan_write() puts them together. */
#include "plan/plan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/buffer.h"
#include "base/pool.h"
#include "base/vector.h"

struct plan {
	VECTOR(struct step) steps;
	VECTOR(const char *) why;
	struct buffer data;
	struct pool *texts;
};

/*
 * Data offsets are given out before the number of steps is known, so an offset counts from the start of the data (plus
 * DATA_BASE, so that 0 stays "none") and plan_write() adds what lies in front.
 */
#define DATA_BASE 16
#define ALIGN	  16

struct plan *plan_create(void)
{
	return xzalloc(sizeof(struct plan));
}

void plan_destroy(struct plan **plan)
{
	if (!*plan)
		return;
	vector_done(&(*plan)->steps);
	vector_done(&(*plan)->why);
	buffer_done(&(*plan)->data);
	pool_destroy(&(*plan)->texts);
	free(*plan);
	*plan = NULL;
}

void plan_reset(struct plan *plan)
{
	plan->steps.n = 0;
	plan->why.n = 0;
	plan->data.size = 0;
	pool_destroy(&plan->texts);
}

static void set_args(struct step *step, const struct plan_arg *args, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		step->arg[i] = args[i].value;
		if (args[i].kind == PLAN_DATA)
			step->in_plan |= 1u << i;
		if (args[i].kind == PLAN_SLOT)
			step->from_slot |= 1u << i;
	}
}

struct step *plan_step(struct plan *plan, const char *why, enum step_kind kind, const struct plan_arg *args, unsigned n)
{
	struct step *step = vector_push(&plan->steps);

	*step = (struct step){ .kind = kind };
	set_args(step, args, n);
	*vector_push(&plan->why) = why;
	return step;
}

struct step *plan_add_syscall(struct plan *plan, const char *why, int nr, const struct plan_arg *args, unsigned n)
{
	/* The macro puts a dummy in front, as C has no empty arrays. */
	struct step *step = plan_step(plan, why, STEP_SYSCALL, args + 1, n);

	step->nr = (uint16_t)nr;
	return step;
}

size_t plan_space(struct plan *plan, size_t size)
{
	size_t offset = plan->data.size;

	buffer_extend(&plan->data, (size + ALIGN - 1) / ALIGN * ALIGN);
	return offset + DATA_BASE;
}

size_t plan_data(struct plan *plan, const void *data, size_t size)
{
	size_t offset = plan_space(plan, size);

	memcpy(plan_at(plan, offset), data, size);
	return offset;
}

void *plan_at(struct plan *plan, size_t offset)
{
	return plan->data.data + offset - DATA_BASE;
}

size_t plan_keep_result(struct plan *plan, struct step *step)
{
	size_t index = (size_t)(step - plan->steps.items);
	size_t offset = plan_space(plan, sizeof(int64_t));

	plan->steps.items[index].to_result = (uint32_t)offset;
	return offset;
}

const char *plan_why(struct plan *plan, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!plan->texts)
		plan->texts = pool_create();
	return pool_string(plan->texts, text);
}

size_t plan_count(const struct plan *plan)
{
	return plan->steps.n;
}

static size_t data_start(const struct plan *plan)
{
	return (sizeof(struct plan_header) + plan->steps.n * sizeof(struct step) + ALIGN - 1) / ALIGN * ALIGN;
}

size_t plan_size(const struct plan *plan)
{
	return data_start(plan) + plan->data.size;
}

size_t plan_place(const struct plan *plan, size_t offset)
{
	return offset - DATA_BASE + data_start(plan);
}

void plan_write(const struct plan *plan, void *to)
{
	struct plan_header *header = to;
	struct step *steps = (struct step *)(header + 1);

	*header = (struct plan_header){ .n_steps = (uint32_t)plan->steps.n, .size = (uint32_t)plan_size(plan) };
	if (plan->steps.n)
		memcpy(steps, plan->steps.items, plan->steps.n * sizeof(*steps));
	for (size_t i = 0; i < plan->steps.n; i++) {
		for (int k = 0; k < 7; k++) {
			if (steps[i].in_plan & (1u << k))
				steps[i].arg[k] = (int64_t)plan_place(plan, (size_t)steps[i].arg[k]);
		}
		if (steps[i].to_result)
			steps[i].to_result = (uint32_t)plan_place(plan, steps[i].to_result);
	}
	if (plan->data.size)
		memcpy((char *)to + data_start(plan), plan->data.data, plan->data.size);
}

const char *plan_step_why(const struct plan *plan, size_t i)
{
	return i < plan->why.n ? plan->why.items[i] : "?";
}

const struct step *plan_step_at(const struct plan *plan, size_t i)
{
	return i < plan->steps.n ? &plan->steps.items[i] : NULL;
}

/* Thousands of mappings need not each have a reason of its own: their first two arguments say which it is. */
static bool is_about_memory(const struct step *step)
{
	static const int calls[] = { __NR_mmap, __NR_munmap, __NR_mprotect, __NR_madvise, __NR_mlock2 };

	if (step->kind != STEP_SYSCALL || step->from_slot & 3 || step->in_plan & 3)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (step->nr == calls[i])
			return true;
	return false;
}

void plan_describe_step(const struct plan *plan, size_t i, char *to, size_t capacity)
{
	const struct step *step = plan_step_at(plan, i);

	if (step && is_about_memory(step))
		snprintf(to, capacity, "%s (%" PRIx64 "-%" PRIx64 ")", plan_step_why(plan, i), step->arg[0],
			 step->arg[0] + step->arg[1]);
	else
		snprintf(to, capacity, "%s", plan_step_why(plan, i));
}
