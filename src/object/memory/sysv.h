/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside of object/memory: System V shared memory, shmget(2). The segment belongs to the IPC namespace, the task has it
 * attached. */
#pragma once

#include "object/memory/memory.h"

struct plan;

/* The record of an attached segment. Refuses one that would not outlive the tasks. */
int sysv_dump(const struct dump *d, const struct task *task, const struct mapping *mapping, VmaEntry *vma);
/* Range checks of its record. */
int sysv_check(const VmaEntry *vma);
/* criu verify: segments that are not in the images must be here. */
int sysv_need(const struct restore *r, const struct task *task);
/* The steps that attach the mapping of this number again, with all other parts of the same attachment. */
int sysv_plan(struct restore *r, const struct memory_restore *memory, size_t number, struct plan *plan);
