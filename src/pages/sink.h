/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where pages go: images in a directory, or a page server at the other end of a socket. The pages of one object (a
 * process, a shared memory object) go after those of another: open, write..., close. At the very end finish.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/pagemap-image.h"

/* Bytes that are one after the other in the pages image, on their way through a buffer. */
struct page_block {
	char *data;
	size_t size;	 /* of whole pages */
	uint64_t offset; /* in the pages image */
};

/* What is sent of one object. The ranges are sorted, their offsets are set (pages_place()); flags have PE_* bits only.
 */
struct page_object {
	enum image_id id; /* IMAGE_PAGEMAP: a process; IMAGE_PAGEMAP_SHMEM: a shared memory object */
	uint64_t number;  /* virtual pid, or shared memory id */
	const struct page_range *ranges;
	size_t n;
	uint64_t size; /* of the data of all ranges with PE_PRESENT */
};

struct page_source;

struct page_sink {
	const struct page_sink_ops *ops;
};

struct page_sink_ops {
	/* 1: there are older images of this object, so that ranges of it may be PE_PARENT. 0: none. */
	int (*has_parent)(struct page_sink *sink, enum image_id id, uint64_t number);
	/* The object stays the caller's until close. */
	int (*open)(struct page_sink *sink, const struct page_object *object);
	/*
	 * Data of the open object. in_order: one block after the other, by the thread that called open. Else by several
	 * workers at once, in no order. A block may be changed on the way. Not called at all for an object without
	 * data.
	 */
	int (*write)(struct page_sink *sink, struct page_block *block);
	/* The open object is complete. Not called after a failure. */
	int (*close)(struct page_sink *sink);
	/* All objects are complete and safe where they are to be. Not called after a failure. */
	int (*finish)(struct page_sink *sink);
	/* Frees the sink, also in the middle of an object: what was begun is left as it is. */
	void (*destroy)(struct page_sink *sink);
	bool in_order;
	bool sends_zeros; /* all-zero blocks take as much as others */
	/* The number of the pages image of the next object. NULL: pages go where none can be read again. */
	uint32_t (*next_id)(const struct page_sink *sink);
	/*
	 * Instead of open, write and close, for a sink that takes content only when all else is written: it keeps the
	 * source (with a descriptor of its own) and the ranges, their flags as pages_save() got them. Else NULL.
	 */
	int (*later)(struct page_sink *sink, const struct page_source *source, const struct page_object *object,
		     const struct page_range *ranges);
};
