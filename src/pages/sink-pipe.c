/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages into a store that is one stream: the pagemaps at once, the pages when all other images have been sent. */
#include "pages/sink-pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/pool.h"
#include "base/vector.h"
#include "image/image.h"
#include "image/pipe/pipe-write.h"
#include "pages/save.h"
#include "pages/sink-store.h"
#include "pages/sink.h"

struct waiting_object {
	enum image_id id;
	uint64_t number, size;
	uint32_t pages_id;
	struct page_source source; /* its descriptor is ours; -1: it was sent */
	struct page_range *ranges;
	size_t n;
};

struct pipe_sink {
	struct page_sink sink;
	struct store *store;
	uint32_t next_pages_id;
	uint32_t sending; /* pages_id */
	VECTOR(struct waiting_object) waiting;
};

static int has_parent(struct page_sink *base, enum image_id id, uint64_t number)
{
	return page_store_has_parent(((struct pipe_sink *)base)->store, id, number);
}

/* What is wanted before all pages goes with the records. */
static int announce_early(const struct pipe_sink *sink, const struct page_source *source, uint32_t pages_id,
			  const struct page_range *range)
{
	const size_t size = range->nr_pages * page_size();
	AUTO_FREE char *data = xmalloc(size);
	const ssize_t got = io_pread(source->mem, data, size, (off_t)range->start);

	if (got != (ssize_t)size)
		return fail(got < 0 ? (int)-got : ESRCH, "cannot read %zu bytes of memory at %#lx", size,
			    (unsigned long)range->start);
	store_pipe_announce_early(sink->store, pages_id, data, size, range->offset);
	return 0;
}

static int keep_for_later(struct page_sink *base, const struct page_source *source, const struct page_object *object,
			  const struct page_range *ranges)
{
	struct pipe_sink *sink = (struct pipe_sink *)base;
	const uint32_t pages_id = sink->next_pages_id++;
	AUTO_CLOSE int mem = fcntl(source->mem, F_DUPFD_CLOEXEC, 0);
	struct waiting_object *one;

	if (mem < 0)
		return fail_errno("cannot keep its memory open");
	TRY(page_store_write_pagemap(sink->store, object, pages_id));
	store_pipe_announce(sink->store, pages_id, object->size);
	for (size_t i = 0; i < object->n; i++)
		if (ranges[i].flags & PAGE_EARLY)
			TRY(announce_early(sink, source, pages_id, &ranges[i]));
	one = vector_push(&sink->waiting);
	*one = (struct waiting_object){
		.id = object->id,
		.number = object->number,
		.size = object->size,
		.pages_id = pages_id,
		.source = *source,
		.ranges = xmalloc((object->n + 1) * sizeof(*ranges)),
		.n = object->n,
	};
	one->source.mem = TAKE_FD(mem);
	if (object->n)
		memcpy(one->ranges, ranges, object->n * sizeof(*ranges));
	return 0;
}

static int send_block(struct page_sink *base, struct page_block *block)
{
	struct pipe_sink *sink = (struct pipe_sink *)base;

	for (size_t at = 0, size; at < block->size; at += size) {
		const uint64_t offset = block->offset + at;
		bool hole;

		size = page_measure_run(block->data + at, block->size - at, &hole);
		TRY(hole ? store_pipe_send_zeros(sink->store, sink->sending, size, offset)
			 : store_pipe_send_pages(sink->store, sink->sending, block->data + at, size, offset));
	}
	return 0;
}

static int send_object(struct pipe_sink *sink, struct page_mover *mover, struct waiting_object *object)
{
	if (object->source.mem < 0)
		return 0;
	sink->sending = object->pages_id;
	TRY(pages_copy(mover, &object->source, &sink->sink, object->ranges, object->n, object->size));
	close(TAKE_FD(object->source.mem));
	return 0;
}

int page_sink_pipe_send(struct page_sink *base, struct page_mover *mover, enum image_id id, uint64_t number)
{
	struct pipe_sink *sink = (struct pipe_sink *)base;

	for (size_t i = 0; i < sink->waiting.n; i++)
		if (sink->waiting.items[i].id == id && sink->waiting.items[i].number == number)
			return send_object(sink, mover, &sink->waiting.items[i]);
	return 0;
}

int page_sink_pipe_send_rest(struct page_sink *base, struct page_mover *mover)
{
	struct pipe_sink *sink = (struct pipe_sink *)base;

	for (size_t i = 0; i < sink->waiting.n; i++)
		TRY(send_object(sink, mover, &sink->waiting.items[i]));
	return 0;
}

/* Objects are complete when they were sent. */
static int finish_pipe_sink(struct page_sink *base)
{
	return 0;
}

static void destroy_pipe_sink(struct page_sink *base)
{
	struct pipe_sink *sink = (struct pipe_sink *)base;

	for (size_t i = 0; i < sink->waiting.n; i++) {
		if (sink->waiting.items[i].source.mem >= 0)
			close(sink->waiting.items[i].source.mem);
		free(sink->waiting.items[i].ranges);
	}
	vector_done(&sink->waiting);
	free(sink);
}

static const struct page_sink_ops pipe_sink_ops = {
	.has_parent = has_parent,
	.write = send_block,
	.finish = finish_pipe_sink,
	.destroy = destroy_pipe_sink,
	.in_order = true,
	.later = keep_for_later,
};

struct page_sink *page_sink_to_pipe(struct store *store, uint32_t first_pages_id)
{
	struct pipe_sink *sink = xzalloc(sizeof(*sink));

	*sink = (struct pipe_sink){ .sink = { &pipe_sink_ops }, .store = store, .next_pages_id = first_pages_id };
	return &sink->sink;
}
