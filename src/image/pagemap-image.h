/* SPDX-License-Identifier: GPL-2.0-only */
/* Pagemap images: which pages of a process or of a shared memory object are where. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "image/image.h"

enum page_flags {
	PE_PARENT = 1,	/* no data here: the range is in the parent images */
	PE_LAZY = 2,	/* may be fetched on demand */
	PE_PRESENT = 4, /* data is in the pages file of this pagemap */
	/*
	 * Data is in the pages file of another pagemap of the same images: the same as that of another task. No bit of
	 * the image, where its place tells so; never with PE_PARENT or PE_PRESENT. (--equal-pages, not in CRIU 4.2.)
	 */
	PE_ELSEWHERE = 1 << 8,
};

struct page_range {
	uint64_t start;	   /* address, or offset in the shared memory object */
	uint64_t nr_pages; /* at least 1 */
	uint64_t offset;   /* PE_PRESENT: byte offset of the first page in the pages file */
	uint32_t flags;	   /* PE_* */
	uint32_t there_id; /* PE_ELSEWHERE: number of the pages file, and byte offset in it */
	uint64_t there;
};

struct pagemap {
	uint32_t pages_id;
	size_t n;
	struct page_range *ranges; /* sorted, not overlapping; malloc'ed */
	uint64_t pages_size;	   /* bytes that the pages file must have */
};

/*
 * Reads IMAGE_PAGEMAP or IMAGE_PAGEMAP_SHMEM. Entries of older versions are brought to today's form. Unaligned,
 * overlapping, unsorted or overflowing ranges are refused. -ENOENT, unlogged, if the image is missing. pagemap_done()
 * it.
 */
int pagemap_read(struct store *store, enum image_id id, uint64_t number, struct pagemap *ret);
void pagemap_done(struct pagemap *pagemap);
/* The range that covers the address, or the first one above it; NULL if there is none. */
const struct page_range *pagemap_find(const struct pagemap *pagemap, uint64_t address);

struct pagemap_writer;

int pagemap_create(struct store *store, enum image_id id, uint64_t number, uint32_t pages_id,
		   struct pagemap_writer **ret);
/*
 * Appends pages, in rising order; neighbours with equal flags become one entry. The byte offset of a PE_PRESENT range
 * in the pages file comes back through ret_offset unless NULL.
 */
int pagemap_append(struct pagemap_writer *writer, uint64_t start, uint64_t nr_pages, uint32_t flags,
		   uint64_t *ret_offset);
/* The same for a range of any kind, also PE_ELSEWHERE. Its offset does not matter. */
int pagemap_append_range(struct pagemap_writer *writer, const struct page_range *range);
int pagemap_finish(struct pagemap_writer **writer);
/* Gives up; accepts NULL; for AUTO(). */
void pagemap_abandon(struct pagemap_writer **writer);
