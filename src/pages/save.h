/* SPDX-License-Identifier: GPL-2.0-only */
/* Page content on its way out: from a stopped process or a shared memory object into a pages image. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "image/pagemap-image.h"
#include "pages/mover.h"

/* Bytes that are one after the other in the pages image, on their way through a buffer. */
struct page_block {
	char *data;
	size_t size;
	uint64_t offset; /* in the pages image */
};

/*
 * In the flags of a range: its pages are shared copy-on-write with another process. process_vm_readv(2) pins pages, and
 * pinning gives the process a copy of its own (since Linux 5.19); /proc/PID/mem is slower, but leaves them shared.
 */
#define PAGE_SHARED (1u << 31)

/* Where pages come from. */
struct page_source {
	pid_t pid; /* a process: process_vm_readv, and /proc/PID/mem for what has no read permission */
	int mem;   /* /proc/PID/mem, open for reading; or, if pid is 0, a shared memory object */
};

/* Where blocks go. Called by several workers at once, in no order. A block may be changed on the way. */
struct page_sink {
	int (*write)(struct page_sink *sink, struct page_block *block);
};

/* A pages image in a file. Pages of zeros become holes. */
struct page_sink_file {
	struct page_sink sink;
	int fd;
	const char *name;
	uint64_t size; /* of the whole image */
};

/* Makes the file as long as the image will be, with holes where nothing is written. */
int page_sink_file_init(struct page_sink_file *sink, int fd, const char *name, uint64_t size);

/*
 * Moves the data of all ranges that have PE_PRESENT. The ranges are sorted; their offset is set here: the data of
 * a range stands behind the data of all ranges before it. Returns after everything was handed to the sink.
 */
int pages_save(struct page_mover *mover, const struct page_source *source, struct page_sink *sink,
	       struct page_range *ranges, size_t n);
/* Sets the offsets; returns the size of the pages image. */
uint64_t pages_place(struct page_range *ranges, size_t n);

/*
 * pages_save() to pagemap and pages images of a store: id is IMAGE_PAGEMAP or IMAGE_PAGEMAP_SHMEM. Returns the number
 * of pages written.
 */
int pages_save_images(struct page_mover *mover, struct store *store, enum image_id id, uint64_t number,
		      uint32_t pages_id, const struct page_source *source, struct page_range *ranges, size_t n);
