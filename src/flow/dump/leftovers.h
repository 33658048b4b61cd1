/* SPDX-License-Identifier: GPL-2.0-only */
/* What a criu that was killed in the middle of a dump has left in a task. */
#pragma once

#include "lib/compel/parasite.h"
#include "session/session.h"

/* Takes its memory out of task->dump->mappings and waits until no thread of the tree is in there any more. */
int leftovers_find(struct dump *d, struct task *task);
/* Unmaps it. */
int leftovers_unmap(struct task *task, const struct parasite_process *process);
