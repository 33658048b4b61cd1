/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages into images of a store: each object has a pagemap and a pages image. */
#pragma once

#include <stdbool.h>
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

/*
 * Another one to the same store, for one object: its pages image has the next number, and can be written while other
 * objects are. Only where page_sink_takes_several().
 */
struct page_sink *page_sink_beside(struct page_sink *base);
/* It is to a directory. */
bool page_sink_takes_several(const struct page_sink *sink);

/* What sinks to stores have in common. */
int page_store_write_pagemap(struct store *store, const struct page_object *object, uint32_t pages_id);
int page_store_has_parent(struct store *store, enum image_id id, uint64_t number);
