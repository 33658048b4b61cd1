/* SPDX-License-Identifier: GPL-2.0-only */
/* dump --live: private memory in small pages is copied before its task stands still, and then what was written to
 * since. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct dump;
struct mappings;
struct task;

/*
 * Begins with a task that runs, if that is worth it; huge: so many bytes have moved into huge pages since its mappings
 * were read. What cannot be done is left to the freeze. Fails if it is interrupted, or if the task does not stop for a
 * moment.
 */
int memory_ahead_begin(struct dump *d, pid_t pid, int proc, const struct mappings *mappings, uint64_t huge);
/* Copies the memory of all of these, again and again as long as that leaves less. Fails only if it is interrupted. */
int memory_ahead_copy(struct dump *d);

/* When the mappings of a task that stands still are known: those that were copied are marked (mapping.ahead). */
void memory_ahead_find(const struct dump *d, struct task *task);
/* Copies what was written to since. 1: all of its private memory is kept. 0: it must be kept in another way. */
int memory_ahead_keep(struct dump *d, struct task *task);

/* The tasks run on: nothing is watched any more. */
void memory_ahead_let_go(struct dump *d);
/* Saves what was kept of a task: 1. 0: it was kept in another way. */
int memory_ahead_save(struct dump *d, struct task *task);
