/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Images of a directory that are about to be read, in a known order: where they are many, opening, reading and closing
 * them takes longer than what is done with them, so another thread does it for those that come next.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "image/image.h"

struct store;

/* The image will be read after those named before, if it is there. */
void read_ahead_add(struct store *store, enum image_id id, uint64_t number);
/* All are named. Worth it for more than a few. */
void read_ahead_begin(struct store *store);
/* What was read is gone: no such image is open any more. Also by store_close(). */
void read_ahead_end(struct store *store);

/* For the store: the whole file; it stays ours. NULL: the caller reads it. */
const unsigned char *read_ahead_find(struct store *store, const char *name, size_t *ret_size);
