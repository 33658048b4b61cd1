/* SPDX-License-Identifier: GPL-2.0-only */
/* What a page server and its clients say to each other (docs/MIGRATION.md). Numbers are in the byte order of both
 * hosts. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Every request, and the head of an answer to PAGE_GET. */
struct page_message {
	uint32_t command; /* low half: PAGE_*, high half: enum page_flags */
	uint32_t padding;
	uint64_t nr_pages;
	uint64_t start;	 /* address, or offset in a shared memory object */
	uint64_t object; /* page_object_make(); PAGE_GET: the plain pid */
};

_Static_assert(sizeof(struct page_message) == 32, "of the protocol");

enum page_command {
	PAGE_ADD_OLD = 1,  /* pages follow; PE_PRESENT is meant */
	PAGE_HOLE_OLD = 2, /* PE_PARENT is meant */
	PAGE_OPEN_OLD = 3,
	PAGE_OPEN = 4,		   /* answer: one byte, 1 = the server has parent images of the object */
	PAGE_PARENT = 5,	   /* the same question, answer: int32 */
	PAGE_ADD = 6,		   /* pages follow only if PE_PRESENT is among the flags */
	PAGE_GET = 7,		   /* answer: PAGE_ADD with PE_PRESENT, for some of the pages at least, and the pages */
	PAGE_CLOSE = 0x1023,	   /* answer: int32 0 */
	PAGE_FORCE_CLOSE = 0x1024, /* the same, from a client that stays connected */
};

enum page_object_type {
	PAGE_OBJECT_TASK = 1,	/* id: pid in its own pid namespace */
	PAGE_OBJECT_SHARED = 2, /* id: number of the shared memory object */
};

static inline uint32_t page_command_make(enum page_command command, uint32_t flags)
{
	return (uint32_t)command | flags << 16;
}

static inline uint64_t page_object_make(enum page_object_type type, uint64_t id)
{
	return id << 8 | type;
}
