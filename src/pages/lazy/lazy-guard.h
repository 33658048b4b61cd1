/* SPDX-License-Identifier: GPL-2.0-only */
/* Sees to it that no task goes on with zeros in place of its memory, whatever becomes of the lazy-pages daemon. */
#pragma once

struct lazy;
struct list;

/* A second process that ends the tasks that lack memory if this one is killed. */
int lazy_guard_begin(struct lazy *lazy);
void lazy_guard_end(struct lazy *lazy);
/* Memory is lost. Those that were forked meanwhile get SIGBUS, the others are killed. Takes no locks. */
void lazy_end_tasks(const struct list *sources);
