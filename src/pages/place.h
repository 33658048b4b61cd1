/* SPDX-License-Identifier: GPL-2.0-only */
/* The last step of a page on its way in: from a buffer of ours to its address. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "pages/fill.h"

/* Some of a stored range, in a buffer. */
struct buffered_range {
	uint64_t address;
	char *data;
	size_t size;
	uint64_t offset; /* in the pages image */
	const struct pages_file *file;
	uint32_t how;
};

struct page_count {
	uint64_t compared, equal; /* pages */
};

/* Places the ranges as each of them wants it. */
int pages_put(const struct page_target *target, const struct buffered_range *ranges, unsigned n,
	      struct page_count *count);
