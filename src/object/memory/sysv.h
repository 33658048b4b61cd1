/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside of object/memory: System V shared memory, shmget(2). The segment belongs to the IPC namespace, the task has it
 * attached. */
#pragma once

#include "object/memory/memory.h"

/* The record of an attached segment. Refuses one that would not outlive the tasks. */
int sysv_dump(struct dump *d, const struct task *task, const struct mapping *mapping, VmaEntry *vma);
/* The step that attaches it again. */
void sysv_plan(struct plan *plan, const VmaEntry *vma);
