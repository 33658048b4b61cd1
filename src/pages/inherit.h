/* SPDX-License-Identifier: GPL-2.0-only */
/* What is to be done with the pages that a process got from its creator by fork. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/vector.h"
#include "pages/fill.h"

/* Pages that the process has and the image has not: they must become absent. */
struct page_gone {
	uint64_t start, size; /* bytes */
};

struct page_inheritance {
	VECTOR(struct page_piece) pieces;
	VECTOR(struct page_gone) gone;
};

/*
 * Holds the pieces of the image against the pages that are there (start and nr_pages of each range). Pieces, or parts
 * of them, that are there get PAGE_COMPARE, others `how`. Both lists are sorted. Appends to ret; pages_inherit_done()
 * it.
 */
void pages_inherit(const struct page_piece *pieces, size_t n_pieces, const struct page_range *there, size_t n_there,
		   uint32_t how, struct page_inheritance *ret);
void pages_inherit_done(struct page_inheritance *inheritance);
