/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of mappings to steps that make them, all at their final addresses. */
#pragma once

#include <stdbool.h>

struct memory_mapping;
struct memory_restore;
struct plan;
struct restore;
struct task;

/* NULL before restore/link. */
struct memory_restore *memory_restore_of(const struct task *task);

int memory_restore_load(
	const struct restore *r); /* mm, pagemaps of all tasks: read, checked, files of mappings declared as used */
/* Steps run when the task has nothing but the arena and the parked vdso (or what it inherited from its creator by
   fork): maps its private mappings at their places, anonymous ones writable: memory_plan_rest() protects them when they
   are filled. */
int memory_plan_private(struct restore *r, struct task *task, struct plan *plan);
/* Steps that map everything else (shared, SysV, vdso), madvise, mlock, guard pages. */
int memory_plan_rest(struct restore *r, struct task *task, struct plan *plan);
/* After these plans ran: gives the files of the mappings back. */
void memory_private_done(struct restore *r, struct task *task);
void memory_rest_done(struct restore *r, struct task *task);
/* criu verify: the kernel features that only some mappings need. */
int memory_restore_needs(const struct restore *r);
/* restore --copies: refuses what all copies would share and write to. */
int memory_restore_copies(const struct restore *r);
