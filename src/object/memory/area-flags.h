/* SPDX-License-Identifier: GPL-2.0-only */
/* What smaps tells of areas, without having the kernel look at all pages in the freeze. */
#pragma once

#include <stdbool.h>

struct dump;
struct task;

/* Before anything stands still: what which bits of the kernel mean. Of all tasks, or of those with so many areas and
 * pages that it is worth it. */
void memory_flags_learn(struct dump *d, bool all);
/*
 * Reads the mappings of a task that stands still: 1. 0: smaps must be read. Sizes are those of before, as
 * far as they are known, and at least a page where there may be any. By several workers at once.
 */
int memory_flags_read(const struct dump *d, struct task *task);
