/* SPDX-License-Identifier: GPL-2.0-only */
/* What the two directions of a stream share. */
#pragma once

#include "base/vector.h"
#include "image/backend.h"
#include "image/pipe/pipe-format.h"

/* Bytes of a pages image that stand among the records. */
struct pipe_early {
	uint64_t offset;
	size_t size;
	unsigned char *data;
};

struct pipe_pages {
	struct pipe_store *pipe;
	uint32_t id;
	uint64_t number; /* of the image in the stream */
	uint64_t size;
	uint64_t passed; /* bytes that were written or read */
	int kept;	 /* bytes that were passed over, at their places; -1: none */
	VECTOR(struct pipe_early) early;
};

struct pipe_store {
	struct store store;
	struct store *records; /* images in memory: all but those of pages */
	int fd, images_dir;
	unsigned grace;
	bool borrowed; /* a view: records and pages are another store's */
	VECTOR(struct pipe_pages *) pages;
	uint64_t n_images, n_chunks, sum;

	/* Reading: the chunk that came last, of which [at, size) is left. */
	struct stream_chunk chunk;
	unsigned char *payload;
	uint64_t at;
	bool committed;
	uint64_t n_kept; /* bytes of pages that came before they were wanted */
};

static inline struct pipe_store *pipe_store_of(const struct store *store)
{
	return (struct pipe_store *)store;
}
