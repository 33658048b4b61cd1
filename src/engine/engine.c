/* SPDX-License-Identifier: GPL-2.0-only */
/* Walks phases x families. */
#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/fail.h"
#include "base/grace.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/table.h"
#include "session/survey.h"

const struct phase_row phase_rows[PHASE_COUNT] = {
#define FAILS_MAY_FAIL	   true
#define FAILS_CANNOT_FAIL  false
#define CALLS_TREE	   true
#define CALLS_TASK	   true
#define CALLS_THREAD	   true
#define CALLS_TASK_STEPS   true
#define CALLS_THREAD_STEPS true
#define CALLS_MEMBERS	   false
#define CALLS_FLOW	   false
#define PHASE(direction, name, what, fails, order, effect, undo) \
	{ #direction, #name, FAILS_##fails, CALLS_##what, PHASE_##effect, undo },
#include "engine/phases.def"
#undef PHASE
};

/* Somebody wants to hear of failure points by name: fail_point(). Set once, when the program begins. */
static bool points_are_watched;

__attribute__((constructor)) static void find_watched(void)
{
	points_are_watched = secure_getenv("CRIU_FAIL_AT") || secure_getenv("CRIU_FAIL_LIST");
}

static int pass_point(struct table **passed, enum phase phase, const char *family, const char *member)
{
	const struct phase_row *row = &phase_rows[phase];
	char name[128];

	if (!points_are_watched && !log_enabled(LOG_DEBUG))
		return interrupt_check();
	if (!*passed)
		*passed = table_create();
	if (table_set2(*passed, (uint64_t)phase << 56 ^ (uintptr_t)family, (uintptr_t)member, *passed))
		return interrupt_check();
	snprintf(name, sizeof(name), "%s/%s%s%s%s%s", row->direction, row->name, family ? "/" : "", family ?: "",
		 member ? "/" : "", member ?: "");
	for (char *c = name; *c; c++)
		if (*c == ' ')
			*c = '-';
	return fail_point(name);
}

int phase_pass_dump(const struct dump *d, enum phase phase, const char *family, const char *member)
{
	d->progress->deadline = deadline_in_seconds(d->options->timeout);
	return pass_point(&d->progress->passed, phase, family, member);
}

int phase_pass_restore(const struct restore *r, enum phase phase, const char *family, const char *member)
{
	r->progress->deadline = deadline_in_seconds(r->options->timeout * GRACE_RESTORE_FACTOR);
	return pass_point(&r->progress->passed, phase, family, member);
}

/* In a survey, or after a refusal, nothing is changed or written any more. */
static bool is_skipped_dump(const struct dump *d, enum phase phase)
{
	return d->progress->only_look && phase_rows[phase].effect == PHASE_ACTS;
}

struct dump *phase_acting_dump(const struct dump *d, enum phase phase)
{
	return is_skipped_dump(d, phase) ? NULL : d->progress->acting;
}

#define IS_SKIPPED_dump	   is_skipped_dump
#define IS_SKIPPED_restore is_skipped_restore

static bool is_skipped_restore(const struct restore *r, enum phase phase)
{
	return r->needs && phase_rows[phase].effect == PHASE_ACTS;
}

static int judge_dump(const struct dump *d, enum phase phase, int result)
{
	return phase_rows[phase].effect == PHASE_LOOKS ? dump_go_on(d, result) : result;
}

static int judge_restore(const struct restore *r, enum phase phase, int result)
{
	return phase_rows[phase].effect == PHASE_LOOKS ? restore_go_on(r, result) : result;
}

static size_t count_families(void)
{
	size_t n = 0;

	while (object_families[n])
		n++;
	return n;
}

#define POSITION_UP(i, n)   (i)
#define POSITION_DOWN(i, n) ((n)-1 - (i))
#define SESSION_dump	    d
#define SESSION_restore	    r

#define CALL_MAY_FAIL(direction, step, ...)                                                               \
	TRY(phase_pass_##direction(SESSION_##direction, PHASE_##direction##_##step, family->name, NULL)); \
	TRY(judge_##direction(SESSION_##direction, PHASE_##direction##_##step,                            \
			      family->direction##_##step(SESSION_##direction __VA_ARGS__)))
#define CALL_CANNOT_FAIL(direction, step, ...) family->direction##_##step(SESSION_##direction __VA_ARGS__)
#define RETURN_MAY_FAIL			       return 0
#define RETURN_CANNOT_FAIL		       return

#define WALK(direction, name, fails, order, ...)                                                      \
	{                                                                                             \
		const size_t n = count_families();                                                    \
                                                                                                      \
		if (IS_SKIPPED_##direction(SESSION_##direction, PHASE_##direction##_##name))          \
			RETURN_##fails;                                                               \
		for (size_t i = 0; i < n; i++) {                                                      \
			const struct object_family *family = object_families[POSITION_##order(i, n)]; \
                                                                                                      \
			if (!family->direction##_##name)                                              \
				continue;                                                             \
			CALL_##fails(direction, name, __VA_ARGS__);                                   \
		}                                                                                     \
		RETURN_##fails;                                                                       \
	}

#define DEFINE_TREE(direction, name, fails, order, effect)                                  \
	HOOK_RESULT_##fails phase_##direction##_##name(HOOK_SESSION_##direction##_##effect) \
		WALK(direction, name, fails, order, )
#define DEFINE_TASK(direction, name, fails, order, effect)                                                     \
	HOOK_RESULT_##fails phase_##direction##_##name(HOOK_SESSION_##direction##_##effect, struct task *task) \
		WALK(direction, name, fails, order, , task)
#define DEFINE_THREAD(direction, name, fails, order, effect)                                                       \
	HOOK_RESULT_##fails phase_##direction##_##name(HOOK_SESSION_##direction##_##effect, struct thread *thread) \
		WALK(direction, name, fails, order, , thread)
#define DEFINE_TASK_STEPS(direction, name, fails, order, effect)                                               \
	HOOK_RESULT_##fails phase_##direction##_##name(HOOK_SESSION_##direction##_##effect, struct task *task, \
						       struct plan *plan)                                      \
		WALK(direction, name, fails, order, , task, plan)
#define DEFINE_THREAD_STEPS(direction, name, fails, order, effect)                                                 \
	HOOK_RESULT_##fails phase_##direction##_##name(HOOK_SESSION_##direction##_##effect, struct thread *thread, \
						       struct plan *plan)                                          \
		WALK(direction, name, fails, order, , thread, plan)
#define DEFINE_MEMBERS(direction, name, fails, order, effect)
#define DEFINE_FLOW(direction, name, fails, order, effect)
#define PHASE(direction, name, what, fails, order, effect, undo) DEFINE_##what(direction, name, fails, order, effect)
#include "engine/phases.def"
