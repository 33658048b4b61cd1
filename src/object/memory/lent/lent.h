/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Images made with --equal-pages tell which pages tasks shared. What children of a task shared with each other only is
 * lent to the task while it makes them (pages/lend.h), and what a task has from its creator needs no look.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "pages/lend.h"

struct memory_mapping;
struct memory_restore;
struct page_inheritance;
struct page_reader;
struct page_target;
struct restore;
struct task;

struct lent_pages;

/* Before the task is filled: NULL if there is nothing to be lent, or nobody to know of what it has. */
struct lent_pages *memory_lent_begin(const struct restore *r, const struct task *task);
void memory_lent_destroy(struct lent_pages **lent); /* accepts NULL */

/* What a mapping of the task gets, instead of its own pages; appended to lent. Returns where in *ret these begin. */
size_t memory_lent_choose(struct lent_pages *lent, const struct memory_mapping *mapping, const struct page_list *own,
			  const stored_range_list **ret);
/* Leaves out, of the ranges from `first` on, what is to be compared but came from the creator for sure. Their pages. */
size_t memory_lent_skip(const struct memory_restore *creator, struct page_inheritance *what, size_t first);

/* It is filled: its own pages are still needed if others were lent; then the reader is taken over, and *reader NULL. */
void memory_lent_keep(struct lent_pages *lent, struct page_reader **reader);
/* restore/complete: it has all of its children. */
int memory_lent_end(struct restore *r, struct task *task);
