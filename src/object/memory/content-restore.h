/* SPDX-License-Identifier: GPL-2.0-only */
/* Private pages go back into a task that is being made. */
#pragma once

#include <stddef.h>

#include "base/range.h"

struct page_mover;
struct restore;
struct task;

/* Reads and checks the pagemap of a task; its mappings are known already. Called by
 * memory_restore_load(). */
int memory_load_content(const struct restore *r, struct task *task);
/* Fills the private mappings from outside; pages that the task inherited and that are equal
   stay shared, inherited pages without an entry in the images become absent again. May run plans in
   task->leader->remote. */
int memory_fill(struct restore *r, struct task *task);
/* By a plan of the task: these pages are absent then. */
int memory_drop_pages(struct restore *r, struct task *task, const struct address_range *ranges, size_t n);

struct page_mover *memory_mover(const struct restore *r);
