/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside of object/memory: the vdso of this kernel in a task that knew another one, or knew it elsewhere. */
#pragma once

#include "object/memory/memory.h"

/* Compares the vdso in the images with ours. After memory_load_content(). */
int vdso_load(const struct restore *r, struct task *task);
/* Steps that bring the parked vdso to where the task expects it. */
int vdso_plan(struct restore *r, struct task *task, struct plan *plan);

/* Turns the functions of a vdso image into jumps to those of the same name in another one that lies at own_address. */
int vdso_patch(uint8_t *image, size_t size, const uint8_t *own, size_t own_size, uint64_t own_address);
