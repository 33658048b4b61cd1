/* SPDX-License-Identifier: GPL-2.0-only */
/* Looking through a whole image for damage. */
#pragma once

#include <stdint.h>

#include "image/image.h"

struct store;

/*
 * Reads all of an image, for those who want to know of all damage in it: goes on behind a record that is damaged alone.
 * Returns 0, or the first failure (-ENOENT, unlogged, if it is missing); all are reported.
 */
struct image_contents {
	unsigned records;
	uint64_t size; /* of the file */
};

int image_scan(struct store *store, enum image_id id, uint64_t number, struct image_contents *ret);
