/* SPDX-License-Identifier: GPL-2.0-only */
/* dump --live: shared memory is copied before anything stands still, and then compared. */
#pragma once

#include "pages/save.h"

struct dump;
struct mappings;

/* Notes the shared memory that a task, which runs, has mapped. proc: its /proc/PID. */
void memory_early_note(struct dump *d, int proc, const struct mappings *mappings);
/* Copies all that was noted. What cannot be copied is left to the freeze. Fails only if it is interrupted. */
int memory_early_copy(struct dump *d);
/*
 * All tasks stand still: what these segments of the object hold is in the file that is returned, at the same places.
 * The file stays theirs. -1: there is none.
 */
int memory_early_take(struct dump *d, int object, const page_range_list *segments);
