/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Growing array of any type:
 *	VECTOR(struct page_range) ranges = { 0 };
 *	*vector_push(&ranges) = (struct page_range){ ... };
 *	for (size_t i = 0; i < ranges.n; i++) ... ranges.items[i] ...
 *	vector_done(&ranges);
 */
#pragma once

#include <stddef.h>
#include <stdlib.h>

#include "base/pool.h"

#define VECTOR(type)                \
	struct {                    \
		type *items;        \
		size_t n, capacity; \
	}

/* Address of a new, uninitialised item at the end. */
#define vector_push(v)                                                                          \
	({                                                                                      \
		if ((v)->n == (v)->capacity) {                                                  \
			(v)->capacity = (v)->capacity ? (v)->capacity * 2 : 16;                 \
			(v)->items = xrealloc((v)->items, (v)->capacity * sizeof(*(v)->items)); \
		}                                                                               \
		&(v)->items[(v)->n++];                                                          \
	})

#define vector_done(v)                      \
	do {                                \
		free((v)->items);           \
		(v)->items = NULL;          \
		(v)->n = (v)->capacity = 0; \
	} while (0)
