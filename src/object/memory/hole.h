/* SPDX-License-Identifier: GPL-2.0-only */
/* Address ranges that are free. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct memory_restore;
struct restore;

/* An address range that is free in all tasks to be made and in this program, of the largest of these sizes that there
 * is, and some more. Where there are 32-bit programs it lies where they can see it. */
int memory_find_hole(struct restore *r, uint64_t largest, uint64_t smallest, uint64_t more, uint64_t *ret,
		     uint64_t *ret_size);
/* One that this task leaves free, with the arena; compat: where a 32-bit program can see it. */
int memory_find_place(const struct restore *r, const struct memory_restore *memory, uint64_t size, bool compat,
		      uint64_t *ret);
