/* SPDX-License-Identifier: GPL-2.0-only */
/* Where in the images the pages of a process or of a shared memory object are, looked up through all parents. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/pagemap-image.h"

/* A pages image that is open for reading. */
struct pages_file {
	struct image *image;
	struct block_reader *blocks; /* it is compressed or encrypted; else NULL */
	struct pipe_pages *pipe;     /* it comes through a stream; else NULL */
	int fd;			     /* the image's; -1 if it is one of the two */
	const char *name;
	bool sparse; /* has holes: zeros that need not be read */
	/* Two files are the same image if these two are. */
	const struct store *store;
	uint32_t pages_id;
};

/* Opens one and tells its size. -ENOENT, unlogged, if it is missing. image_close() its image, also after a failure. */
int pages_file_open(struct store *store, uint32_t pages_id, struct pages_file *file, uint64_t *ret_size);
/* Exactly size bytes, or a failure (logged). By several threads at once, unless it comes through a stream. */
int pages_file_read(const struct pages_file *file, void *to, size_t size, uint64_t offset);

/* Pages that lie one after the other both in the process and in one pages image. */
struct stored_range {
	uint64_t start;		       /* address, or offset in the object */
	uint64_t size;		       /* bytes */
	uint64_t offset;	       /* in the pages image */
	const struct pages_file *file; /* NULL: not in these images (enum page_wanted) */
	uint32_t how;		       /* of pages_fill() */
	uint32_t level;		       /* how many parents lie before its images: 0 for the youngest */
	bool lazy;		       /* may be filled in when the process runs */
};

/* What a reader is for. */
enum page_wanted {
	PAGES_ALL,   /* what was left to a page server is refused */
	PAGES_EAGER, /* a lazy restore, where somebody else provides what is lazy: ranges without a file are possible */
	PAGES_LAZY,  /* only what is lazy, from where it can be had: without a file, if it is not in these images */
	/* The same, but the lazy pages of the youngest images have no file even if they are there too. */
	PAGES_LAZY_REMOTE,
	PAGES_PLACES, /* only where there are pages: no range has a file, no pages image need be there */
};

struct page_reader {
	struct stored_range *ranges; /* sorted, not overlapping */
	size_t n;
	uint64_t size;		    /* bytes of all ranges */
	struct page_level **levels; /* one for each directory of the chain */
	size_t n_levels;
	bool names_others; /* some ranges are in files of other processes (PE_ELSEWHERE) */
};

/*
 * Reads the pagemap (IMAGE_PAGEMAP or IMAGE_PAGEMAP_SHMEM) and those of the parents that it refers to, and opens their
 * pages images, which must be long enough. -ENOENT, unlogged, if there is no such pagemap. The store must live longer.
 */
int page_reader_open(struct store *store, enum image_id id, uint64_t number, struct page_reader **ret);
int page_reader_open_for(struct store *store, enum image_id id, uint64_t number, enum page_wanted wanted,
			 struct page_reader **ret);
/* Accepts NULL; for AUTO(). */
void page_reader_close(struct page_reader **reader);
