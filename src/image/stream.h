/* SPDX-License-Identifier: GPL-2.0-only */
/* Bytes of one image through its buffer. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "image/backend.h"

struct image;

/* The bytes behind those that wait in the buffer; fewer than size only at the end of the file. Failures are logged. */
ssize_t image_read_on(struct image *image, void *to, size_t size);
/* At least `want` bytes wait in the buffer, or all that the file still has. */
int image_fill(struct image *image, size_t want);
static inline size_t image_waiting(const struct image *image)
{
	return image->end - image->start;
}
/* size bytes are used up. */
void image_take(struct image *image, size_t size);
/* Passes over size bytes; says through ret_skipped how many there were. */
int image_skip(struct image *image, uint64_t size, uint64_t *ret_skipped);
/* Writing: makes the file with its head if that did not happen yet. */
int image_start(struct image *image);
/* Writing: room for size bytes at the end of the buffer, in one piece; counted by the caller in `end`. */
int image_reserve(struct image *image, size_t size, void **ret);

/* Writes what is buffered; the image stays open for more. */
int image_flush(struct image *image);
