/* SPDX-License-Identifier: GPL-2.0-only */
/* The namespaces of a restore: which there are, who is born into which, who enters which. */
#pragma once

struct plan;
struct restore;
struct task;

/* All tasks are loaded: makes the set; refuses what cannot be made. */
int namespaces_restore_load(const struct restore *r);
int namespaces_restore_needs(const struct restore *r);
int namespaces_restore_copies(const struct restore *r);
/* `make`; r->birth_flags. */
int namespaces_restore_make(struct restore *r);
/* Steps of the root task, which still has our descriptors: into those that were made before it. */
int namespaces_plan_root(struct restore *r, struct task *root, struct plan *plan);
/* Its first steps in its user namespace. */
int namespaces_plan_inside(struct restore *r, struct task *root, struct plan *plan);
/* The root task is there, but for its birth nothing was done by it: `born`. */
int namespaces_restore_born(struct restore *r, struct task *task);
/* Makes the namespaces of other tasks and fills all. */
int namespaces_restore_fill(struct restore *r);
/* Steps of a new task, which has no descriptor yet: into those that are not those of its creator. */
int namespaces_plan_enter(struct restore *r, struct task *task, struct plan *plan);
int namespaces_restore_settle(struct restore *r);
void namespaces_restore_clean(struct restore *r);
