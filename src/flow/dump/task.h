/* SPDX-License-Identifier: GPL-2.0-only */
/* One task of a dump. */
#pragma once

#include "session/session.h"

/* Which kernel objects the task shares with others: task->ids. */
int dump_ids(struct dump *d, struct task *task);
/* When its mappings are read: registers, and all that its parts know from outside; can_tell is set. */
int dump_task_state(struct dump *d, struct task *task);
/* What others tell of it and its plan does not change, once: while it runs that, or when it is clear that it will not.
 */
int dump_task_aside(struct dump *d, struct task *task);
/* Instead of asking its threads. */
int dump_task_guess(struct dump *d, struct task *task);
/* Pre-dump: its mappings, and the registers that its threads go home with. */
int dump_task_look(struct dump *d, struct task *task);
/* Mappings and content of its address space. */
int dump_task_memory(struct dump *d, struct task *task);
/* core-*, ids-*, mm-* images. */
int dump_task_write(struct dump *d, struct task *task);
