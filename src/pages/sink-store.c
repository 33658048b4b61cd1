/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages into images of a store: each object has a pagemap and a pages image. */
#include "pages/sink-store.h"

#include "image/blocks/blocks-write.h"
#include "image/blocks/store-blocks.h"
#include "image/store-streamer.h"
#include "image/store.h"
#include "pages/sink.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/io.h"
#include "base/pool.h"
#include "pages/mover.h"

struct store_sink {
	struct page_sink sink;
	struct store *store;
	uint32_t next_pages_id;
	struct image *pages;	     /* of the open object */
	int fd;			     /* the image's */
	struct block_writer *blocks; /* instead, if they are to be compressed */
	uint64_t size;		     /* of the open object */
};

static int write_block(struct page_sink *base, struct page_block *block)
{
	struct store_sink *sink = (struct store_sink *)base;

	if (sink->blocks)
		return block_writer_put(sink->blocks, block->data, block->size, block->offset);
	for (size_t at = 0; at < block->size;) {
		bool hole;
		size_t size = page_measure_run(block->data + at, block->size - at, &hole);
		int result = base->ops->in_order ? io_write(sink->fd, block->data + at, size)
			     : hole		 ? 0
				    : io_pwrite(sink->fd, block->data + at, size, (off_t)(block->offset + at));

		if (result < 0)
			return fail(-result, "cannot write %zu bytes to %s", size, image_get_name(sink->pages));
		at += size;
	}
	return 0;
}

int page_store_write_pagemap(struct store *store, const struct page_object *object, uint32_t pages_id)
{
	AUTO(pagemap_abandon) struct pagemap_writer *writer = NULL;

	TRY(pagemap_create(store, object->id, object->number, pages_id, &writer));
	for (size_t i = 0; i < object->n; i++)
		TRY(pagemap_append_range(writer, &object->ranges[i]));
	return pagemap_finish(&writer);
}

/* The file is made as long as it will be, with holes where nothing is written. */
static int open_object(struct page_sink *base, const struct page_object *object)
{
	struct store_sink *sink = (struct store_sink *)base;

	TRY(page_store_write_pagemap(sink->store, object, sink->next_pages_id));
	TRY(image_create(sink->store, &sink->pages, IMAGE_PAGES, sink->next_pages_id++));
	sink->size = object->size;
	TRY(image_start_blocks(sink->pages, &sink->blocks));
	if (sink->blocks)
		return 0;
	sink->fd = image_fd(sink->pages);
	TRY(sink->fd);
	if (object->size && !base->ops->in_order && ftruncate(sink->fd, (off_t)object->size) < 0)
		return fail_errno("cannot make %s %lu bytes long", image_get_name(sink->pages),
				  (unsigned long)object->size);
	return 0;
}

static int close_object(struct page_sink *base)
{
	struct store_sink *sink = (struct store_sink *)base;

	if (sink->blocks)
		TRY(image_finish_blocks(sink->pages, sink->size));
	sink->blocks = NULL;
	return image_finish(&sink->pages);
}

int page_store_has_parent(struct store *store, enum image_id id, uint64_t number)
{
	AUTO(image_close) struct image *image = NULL;
	struct store *parent;
	int result = store_get_parent(store, &parent);

	if (result == 0)
		result = image_open(parent, &image, id, number);
	if (result == -ENOENT)
		return 0;
	TRY(result);
	return 1;
}

static int has_parent(struct page_sink *base, enum image_id id, uint64_t number)
{
	return page_store_has_parent(((struct store_sink *)base)->store, id, number);
}

static uint32_t get_next_id(const struct page_sink *base)
{
	return ((const struct store_sink *)base)->next_pages_id;
}

static int finish_store_sink(struct page_sink *base)
{
	return 0;
}

static void destroy_store_sink(struct page_sink *base)
{
	struct store_sink *sink = (struct store_sink *)base;

	image_close(&sink->pages);
	free(sink);
}

static const struct page_sink_ops store_sink_ops = {
	.has_parent = has_parent,
	.open = open_object,
	.write = write_block,
	.close = close_object,
	.finish = finish_store_sink,
	.destroy = destroy_store_sink,
	.next_id = get_next_id,
};

/* Where there is no way back, and no holes. */
static const struct page_sink_ops stream_sink_ops = {
	.has_parent = has_parent,
	.open = open_object,
	.write = write_block,
	.close = close_object,
	.finish = finish_store_sink,
	.destroy = destroy_store_sink,
	.in_order = true,
	.sends_zeros = true,
};

struct page_sink *page_sink_to_store(struct store *store, uint32_t first_pages_id)
{
	const struct page_sink_ops *ops = store_is_streamed(store) ? &stream_sink_ops : &store_sink_ops;
	struct store_sink *sink = xzalloc(sizeof(*sink));

	*sink = (struct store_sink){ .sink = { ops }, .store = store, .next_pages_id = first_pages_id };
	return &sink->sink;
}

struct page_sink *page_sink_beside(struct page_sink *base)
{
	struct store_sink *sink = (struct store_sink *)base;

	return page_sink_to_store(sink->store, sink->next_pages_id++);
}

bool page_sink_takes_several(const struct page_sink *sink)
{
	return sink->ops == &store_sink_ops;
}

void page_sink_destroy(struct page_sink **sink)
{
	if (*sink)
		(*sink)->ops->destroy(*sink);
	*sink = NULL;
}
