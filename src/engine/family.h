/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A family of kernel objects: one folder of src/object. Its hooks are those of the phases of phases.def that call
 * families; the member of the phase dump/collect is dump_collect. All members but the name are optional.
 */
#pragma once

#include "session/session.h"

struct plan;

/* The type of a hook by direction, what it is called for, and whether it may fail. */
#define HOOK_RESULT_MAY_FAIL	int
#define HOOK_RESULT_CANNOT_FAIL void
/* A phase that looks gets a session that it cannot write with (session/session.h). */
#define HOOK_SESSION_dump_LOOKS			 const struct dump *d
#define HOOK_SESSION_dump_ACTS			 struct dump *d
#define HOOK_SESSION_dump_ALWAYS		 struct dump *d
#define HOOK_SESSION_restore_LOOKS		 const struct restore *r
#define HOOK_SESSION_restore_ACTS		 struct restore *r
#define HOOK_SESSION_restore_ALWAYS		 struct restore *r
#define HOOK_TREE(result, name, session)	 result (*name)(session);
#define HOOK_TASK(result, name, session)	 result (*name)(session, struct task * task);
#define HOOK_THREAD(result, name, session)	 result (*name)(session, struct thread * thread);
#define HOOK_TASK_STEPS(result, name, session)	 result (*name)(session, struct task * task, struct plan * plan);
#define HOOK_THREAD_STEPS(result, name, session) result (*name)(session, struct thread * thread, struct plan * plan);
#define HOOK_MEMBERS(result, name, session)
#define HOOK_FLOW(result, name, session)

struct object_family {
	const char *name;
#define PHASE(direction, name, what, fails, order, effect, undo) \
	HOOK_##what(HOOK_RESULT_##fails, direction##_##name, HOOK_SESSION_##direction##_##effect)
#include "engine/phases.def"
#undef PHASE
};

/* The registry, generated from src/object/meson.build; NULL-terminated. */
extern const struct object_family *const object_families[];
