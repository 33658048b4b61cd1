/* SPDX-License-Identifier: GPL-2.0-only */
/* Small mappings are not watched by write protection. */
#pragma once

#include <stdbool.h>

#include "pages/save.h"

struct dump;
struct mapping;
struct task;

/* Pages of small mappings that the parent has and that are the same become PE_PARENT. */
int memory_leave_equal(struct dump *d, struct task *task, page_range_list *ranges);

/* Whether its small mappings are compared and not watched, and so whether this one is to be watched. */
bool memory_compares_small(const struct task *task);
bool memory_is_watchable(const struct mapping *m, bool compares_small);
