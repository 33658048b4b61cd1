/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore with --lazy-pages or --on-demand. */
#pragma once

#include <stdbool.h>

struct memory_mapping;
struct memory_restore;
struct plan;
struct restore;
struct task;

/* Restore: does memory follow when the tasks run? */
bool memory_is_lazy(const struct restore *r);
/* Can this mapping be filled by the lazy-pages daemon? */
bool memory_can_be_lazy(const struct memory_mapping *mapping);

/* First steps of a task that gets memory of its own: no huge pages if a userfaultfd will bring what is
 * missing, ours or the program's. They are allowed again with what the task had set itself (prctl.def), or before. */
void memory_lazy_plan(const struct restore *r, const struct memory_restore *memory, struct plan *plan);

/* Connects to the daemon: before any task is made. */
int memory_lazy_begin(struct restore *r);
/* When the task has all of its children: from here on its lazy memory is the daemon's. */
int memory_lazy_register(struct restore *r, struct task *task);
/* All tasks run. */
void memory_lazy_finish(struct restore *r);
