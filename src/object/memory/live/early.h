/* SPDX-License-Identifier: GPL-2.0-only */
/* dump --live: shared memory is copied before anything stands still, and then compared. */
#pragma once

#include <sys/types.h>

#include "pages/save.h"

struct dump;
struct mappings;
struct memory_object;
struct task;

/* Notes the shared memory that a task, which runs, has mapped. proc: its /proc/PID. */
void memory_early_note(struct dump *d, pid_t pid, int proc, const struct mappings *mappings);
/* Copies all that was noted. What cannot be copied is left to the freeze. Fails only if it is interrupted, or if a task
 * does not stop for a moment. */
int memory_early_copy(struct dump *d);
/* What was written to while the rest was done. Fails only if it is interrupted. */
int memory_early_copy_again(struct dump *d);

/* All tasks stand still, and criu has not mapped what they have since. The first call counts. */
void memory_early_check(const struct dump *d);
/* When the mappings of a task that stands still are known. */
void memory_early_find(const struct dump *d, struct task *task);
/*
 * All tasks stand still: what the object holds is in the file that is returned, at the same places. The file stays
 * theirs. -1: it is not known what was written to.
 */
int memory_early_take_watched(struct dump *d, const struct memory_object *object);
/* The same of these segments of the object, whoever has written to them. -1: there is no copy. */
int memory_early_take(struct dump *d, const struct memory_object *object, const page_range_list *segments);

/* The tasks run on: nothing is watched any more. */
void memory_early_let_go(const struct dump *d);
/* What memory_early_take_watched() has left to be done: the segments of the object, if it still has the same size. */
void memory_early_segments(const struct dump *d, const struct memory_object *object, page_range_list *ret);
