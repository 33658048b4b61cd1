/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory that follows when its tasks run already: see docs/MIGRATION.md. */
#pragma once

#include <stdbool.h>

#include "object/memory/memory.h"
#include "pages/save.h"

/*
 * Dump: takes the data of what may be lazy out of the ranges and remembers where it is. Does nothing without
 * --lazy-pages.
 */
int memory_lazy_leave(struct dump *d, struct task *task, page_range_list *ranges);

/* live.c, --live: makes a copy of the task that keeps its memory: 1. 0, logged: it cannot have one, so its pages are to
 * be saved now. */
int memory_live_keep(struct dump *d, struct task *task);
/* content.c: which pages are saved; proc is that of the task, or of a copy of it. */
int memory_choose_pages(struct dump *d, struct task *task, int proc, page_range_list *ranges);
int memory_save_pages(struct dump *d, const struct task *task, const struct page_source *source,
		      page_range_list *ranges);

/* compare.c: pages of small mappings that the parent has and that are the same become PE_PARENT. */
int memory_leave_equal(struct dump *d, struct task *task, page_range_list *ranges);

/* Restore: does memory follow when the tasks run? */
bool memory_is_lazy(const struct restore *r);
/*
 * --on-demand: starts the process that gives memory to the tasks and then ends, in place of a lazy-pages daemon: the
 * connection to it, and its pid.
 */
int memory_on_demand_start(const struct restore *r, int *ret_connection, pid_t *ret_server);
/* Can this mapping be filled by the lazy-pages daemon? */
bool memory_can_be_lazy(const struct memory_mapping *mapping);
