/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages into images of a store: each object has a pagemap and a pages image. */
#pragma once

#include <stdint.h>

#include "image/image.h"

struct page_object;
struct page_sink;
struct store;

/* Accepts NULL; for AUTO(). */
void page_sink_destroy(struct page_sink **sink);

/*
 * Pagemap and pages images of a directory or an image streamer, which must live longer. Pages of zeros become holes.
 * The pages images are numbered from first_pages_id on.
 */
struct page_sink *page_sink_to_store(struct store *store, uint32_t first_pages_id);

/* What sinks to stores have in common. */
int page_store_write_pagemap(struct store *store, const struct page_object *object, uint32_t pages_id);
int page_store_has_parent(struct store *store, enum image_id id, uint64_t number);
