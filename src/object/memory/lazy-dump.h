/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory that stays with its stopped task when all else is dumped, and is read when a page server's client asks for it.
 */
#pragma once

#include "pages/save.h"

struct dump;
struct task;

/*
 * Dump: takes the data of what may be lazy out of the ranges and remembers where it is. Does nothing without
 * --lazy-pages.
 */
int memory_lazy_leave(struct dump *d, struct task *task, page_range_list *ranges);
