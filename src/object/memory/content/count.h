/* SPDX-License-Identifier: GPL-2.0-only */
/* How much private memory there may be to be saved, and what became of it. */
#pragma once

#include <stdint.h>

#include "pages/save.h"

struct dump;
struct task;

/* Bytes that the private mappings of a task have, as the kernel has counted it. */
int64_t memory_guess_size(const struct task *task);
/* For the progress: these pages of the task will be saved. */
void memory_expect_pages(struct dump *d, const struct task *task, const page_range_list *ranges);
/* For the statistics: they are. */
void memory_count_pages(struct dump *d, const page_range_list *ranges);
