/* SPDX-License-Identifier: GPL-2.0-only */
/* Which private pages of a task are saved, and where each of them goes back. */
#pragma once

#include "pages/save.h"

struct dump;
struct memory_dump;
struct task;

/* Which pages are saved; proc is that of the task, or of a copy of it. */
int memory_choose_pages(struct dump *d, struct task *task, int proc, page_range_list *ranges);
int memory_save_pages(struct dump *d, const struct task *task, const struct page_source *source,
		      page_range_list *ranges);

/* The pages that a task has, without a look at the images before. May be called by any worker. */
int memory_find_pages(struct dump *d, struct task *task, int proc, page_range_list *ranges, uint64_t *ret_scanned);

/* Chooses and writes the private pages of the task: pagemap-PID, pages-N. */
int memory_dump_content(struct dump *d, struct task *task);

/* NULL before the first call of the functions below. */
struct memory_dump *memory_dump_of(const struct dump *d);
/* All are made at the first call. */
struct memory_dump *memory_dump_state(const struct dump *d);
/* Where pages go: to a server, else to the store. */
struct page_sink *memory_sink(struct dump *d);
