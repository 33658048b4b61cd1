/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The phase engine. phase_dump_collect(d) calls the hook dump_collect of every family that has one, in the order that
 * phases.def says; so for all phases there. A phase that acts is skipped when no checkpoint can come of the dump any
 * more (session/survey.h). What flow or the members of a family do is announced by phase_pass().
 */
#pragma once

#include "engine/family.h"

enum phase {
#define PHASE(direction, name, what, fails, order, effect, undo) PHASE_##direction##_##name,
#include "engine/phases.def"
#undef PHASE
	PHASE_COUNT
};

enum phase_effect { PHASE_LOOKS, PHASE_ACTS, PHASE_ALWAYS };

struct phase_row {
	const char *direction, *name;
	bool may_fail, calls_families;
	enum phase_effect effect;
	const char *undo;
};

extern const struct phase_row phase_rows[PHASE_COUNT];

/* Every phase of a session is announced before its work. Names beyond the phase may be NULL. It is a failure point, the
 * first time: "dump/drain/file/pipe". Its work may take --timeout from here on. */
int phase_pass_dump(const struct dump *d, enum phase phase, const char *family, const char *member);
int phase_pass_restore(const struct restore *r, enum phase phase, const char *family, const char *member);

/* What a walk that looks does the work of a phase that acts with, between two looks; NULL: no checkpoint can come of
 * it, and it is not done. */
struct dump *phase_acting_dump(const struct dump *d, enum phase phase);

/* The walks. */
#define WALK_TREE(result, name, session)	 result name(session);
#define WALK_TASK(result, name, session)	 result name(session, struct task *task);
#define WALK_THREAD(result, name, session)	 result name(session, struct thread *thread);
#define WALK_TASK_STEPS(result, name, session)	 result name(session, struct task *task, struct plan *plan);
#define WALK_THREAD_STEPS(result, name, session) result name(session, struct thread *thread, struct plan *plan);
#define WALK_MEMBERS(result, name, session)
#define WALK_FLOW(result, name, session)
#define PHASE(direction, name, what, fails, order, effect, undo) \
	WALK_##what(HOOK_RESULT_##fails, phase_##direction##_##name, HOOK_SESSION_##direction##_##effect)
#include "engine/phases.def"
#undef PHASE
