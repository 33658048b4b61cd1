/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside of object/memory: the vdso of this kernel in a task that knew another one, or knew it elsewhere. */
#pragma once

#include "object/memory/memory.h"

struct plan;

/* Compares the vdso in the images with ours. After memory_load_content(). */
int vdso_load(const struct restore *r, struct task *task);
/* Steps that bring the parked vdso to where the task expects it. */
int vdso_plan(struct restore *r, struct task *task, struct plan *plan);

/* An area of the task by its status; NULL: it has none. */
const VmaEntry *vdso_find_area(const struct memory_restore *memory, uint32_t status);
/* The bytes of an area as the images have them; what they lack is zero. */
int vdso_read_image(const struct memory_restore *memory, const VmaEntry *vma, uint8_t *to);
/* Steps that make plain memory of what the program knows as vdso, full of jumps. */
void vdso_plan_old(const struct memory_restore *memory, struct plan *plan);

/* The pieces of a vdso, in address order: [vvar], since Linux 6.13 [vvar_vclock], [vdso]. They form one block. */
#define VDSO_PIECES 4
struct vdso_pieces {
	struct {
		uint64_t start, size;
	} range[VDSO_PIECES];
	unsigned n; /* the last one is the code */
	uint64_t start, size;
};

/* Those of a process. */
int vdso_find_pieces(pid_t pid, struct vdso_pieces *ret);
/* Those of criu itself; found once. */
int vdso_find_own(const struct restore *r);
const struct vdso_pieces *vdso_own(const struct restore *r);

/* First steps of the root task: keeps the vdso of this kernel at r->parking, drops all else but the arena. */
int memory_plan_empty(struct restore *r, struct plan *plan);
