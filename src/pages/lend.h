/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages that children of a process share with each other, but no longer with it: it has them, too, while it makes the
 * children, and gets its own when it has made all of them. So these pages are shared as they were.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/range.h"
#include "base/vector.h"
#include "pages/reader.h"

typedef VECTOR(struct stored_range) stored_range_list;

/* Sorted. */
struct page_list {
	const struct stored_range *ranges;
	size_t n;
};

struct page_lending {
	stored_range_list first;	   /* what the process has when it makes its children */
	stored_range_list later;	   /* its own pages where these are others: to be written after that, ... */
	VECTOR(struct address_range) gone; /* ... or it has none there */
};

#define LEND_CHILDREN_MAX 64 /* more are not looked at */

/* For [start, end) of own and of n children. Appends to ret. */
void pages_lend(const struct page_list *own, const struct page_list *children, size_t n, uint64_t start, uint64_t end,
		struct page_lending *ret);
void pages_lend_done(struct page_lending *lending);

/* Is it the same place of the same image? */
bool pages_same_place(const struct pages_file *a, uint64_t offset_a, const struct pages_file *b, uint64_t offset_b);
