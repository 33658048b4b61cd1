/* SPDX-License-Identifier: GPL-2.0-only */
/* What is to be done with the pages that a process got from its creator by fork. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/range.h"
#include "base/vector.h"
#include "pages/fill.h"

struct page_inheritance {
	VECTOR(struct stored_range) ranges;
	VECTOR(struct address_range)
	gone; /* pages that the process has and the image has not: they must become absent */
};

/*
 * Holds the ranges of the image against the pages that are there (start and nr_pages of each range). Ranges, or parts
 * of them, that are there get PAGE_COMPARE, others `how`. Both lists are sorted. Appends to ret; pages_inherit_done()
 * it.
 */
void pages_inherit(const struct stored_range *ranges, size_t n_ranges, const struct page_range *there, size_t n_there,
		   uint32_t how, struct page_inheritance *ret);
void pages_inherit_done(struct page_inheritance *inheritance);
