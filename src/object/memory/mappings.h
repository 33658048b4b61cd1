/* SPDX-License-Identifier: GPL-2.0-only */
/* The mappings of a task as records: what each one is, and whether it can be saved. */
#pragma once

struct dump;
struct task;

/* Before anything stands still: how this kernel tells of guard areas. */
int memory_guards_learn(struct dump *d);
/* Classifies task->dump->mappings into task->mm->vmas (guard entries, if any, stand at the end). Refuses
 * what cannot be saved. */
int memory_dump_mappings(const struct dump *d, struct task *task);
