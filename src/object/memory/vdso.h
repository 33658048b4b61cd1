/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside of object/memory: the vdso of this kernel in a task that knew another one, or knew it elsewhere. */
#pragma once

#include "object/memory/memory.h"

/* Steps that bring the parked vdso to where the task expects it. */
int vdso_plan(struct restore *r, struct task *task, struct plan *plan);
