/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages to a page server: what it answers is only asked for at the beginning of an object and at the very end. */
#include "pages/sink-socket.h"

#include "base/grace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "image/image.h"
#include "image/pagemap-image.h"
#include "pages/mover.h"
#include "pages/peer.h"
#include "pages/protocol.h"
#include "pages/sink.h"

#define MOST_PARTS (2 * PAGE_BLOCK_SIZE / PAGE_SIZE_MIN)

struct socket_sink {
	struct page_sink sink;
	struct peer *peer;
	const struct page_object *object; /* the open one */
	uint64_t name;			  /* of it, in the protocol */
	size_t next;			  /* range of it that is not sent yet, or not all of it */
	uint64_t done;			  /* pages of that range that are sent */
	bool has_spoken;
};

static uint64_t name_object(enum image_id id, uint64_t number)
{
	return page_object_make(id == IMAGE_PAGEMAP ? PAGE_OBJECT_TASK : PAGE_OBJECT_SHARED, number);
}

static int send_command(struct peer *peer, enum page_command command, uint64_t name)
{
	struct page_message message = { .command = page_command_make(command, 0), .object = name };
	struct iovec part = { &message, sizeof(message) };

	return peer_send(peer, &part, 1);
}

/* Asked before the first object is opened, and between them. */
static int has_parent(struct page_sink *base, enum image_id id, uint64_t number)
{
	struct socket_sink *sink = (struct socket_sink *)base;
	int32_t answer;

	sink->has_spoken = true;
	TRY(send_command(sink->peer, PAGE_PARENT, name_object(id, number)));
	TRY(peer_receive_all(sink->peer, &answer, sizeof(answer)));
	if (answer != 0 && answer != 1)
		return refuse(EPROTO, "the page server answers %d to the question for parent images", answer);
	return answer;
}

static int open_object(struct page_sink *base, const struct page_object *object)
{
	struct socket_sink *sink = (struct socket_sink *)base;
	char answer;

	sink->object = object;
	sink->name = name_object(object->id, object->number);
	sink->next = 0;
	sink->done = 0;
	sink->has_spoken = true;
	TRY(send_command(sink->peer, PAGE_OPEN, sink->name));
	return peer_receive_all(sink->peer, &answer, 1);
}

/* What is collected to be sent at once. */
struct sent_batch {
	struct iovec parts[MOST_PARTS];
	struct page_message messages[MOST_PARTS / 2];
	unsigned n, n_messages;
};

static int flush_batch(struct socket_sink *sink, struct sent_batch *batch)
{
	unsigned n = batch->n;

	batch->n = batch->n_messages = 0;
	return n ? peer_send(sink->peer, batch->parts, n) : 0;
}

static int add_message(struct socket_sink *sink, struct sent_batch *batch, const struct page_range *range,
		       uint64_t nr_pages)
{
	struct page_message *message;

	if (batch->n_messages == MOST_PARTS / 2 || batch->n + 2 > MOST_PARTS)
		TRY(flush_batch(sink, batch));
	message = &batch->messages[batch->n_messages++];
	*message = (struct page_message){
		.command = page_command_make(PAGE_ADD, range->flags),
		.nr_pages = nr_pages,
		.start = range->start + sink->done * page_size(),
		.object = sink->name,
	};
	batch->parts[batch->n++] = (struct iovec){ message, sizeof(*message) };
	return 0;
}

/* Ranges without data that come before the next one with data. */
static int add_dataless(struct socket_sink *sink, struct sent_batch *batch)
{
	const struct page_object *object = sink->object;

	for (; sink->next < object->n && !(object->ranges[sink->next].flags & PE_PRESENT); sink->next++)
		TRY(add_message(sink, batch, &object->ranges[sink->next], object->ranges[sink->next].nr_pages));
	return 0;
}

/* A range that goes on in the next block is sent as several: the server joins them again. */
static int write_block(struct page_sink *base, struct page_block *block)
{
	struct socket_sink *sink = (struct socket_sink *)base;
	struct sent_batch batch;

	batch.n = batch.n_messages = 0;
	for (size_t at = 0; at < block->size;) {
		const struct page_range *range;
		uint64_t nr_pages = (block->size - at) / page_size();

		TRY(add_dataless(sink, &batch));
		range = &sink->object->ranges[sink->next];
		if (nr_pages > range->nr_pages - sink->done)
			nr_pages = range->nr_pages - sink->done;
		TRY(add_message(sink, &batch, range, nr_pages));
		batch.parts[batch.n++] = (struct iovec){ block->data + at, nr_pages * page_size() };
		at += nr_pages * page_size();
		sink->done += nr_pages;
		if (sink->done == range->nr_pages) {
			sink->next++;
			sink->done = 0;
		}
	}
	return flush_batch(sink, &batch);
}

static int close_object(struct page_sink *base)
{
	struct socket_sink *sink = (struct socket_sink *)base;
	struct sent_batch batch;

	batch.n = batch.n_messages = 0;
	TRY(add_dataless(sink, &batch));
	return flush_batch(sink, &batch);
}

int page_client_end(struct peer *peer)
{
	int32_t status;

	TRY(send_command(peer, peer_is_borrowed(peer) ? PAGE_FORCE_CLOSE : PAGE_CLOSE, 0));
	TRY(peer_receive_all(peer, &status, sizeof(status)));
	if (status)
		return refuse(EREMOTEIO, "the page server failed, with status %d: its log tells why", status);
	return peer_finish(peer);
}

static int finish_socket_sink(struct page_sink *base)
{
	struct socket_sink *sink = (struct socket_sink *)base;

	sink->has_spoken = true;
	return page_client_end(sink->peer);
}

static void destroy_socket_sink(struct page_sink *base)
{
	struct socket_sink *sink = (struct socket_sink *)base;

	/* A server that has heard nothing would wait for a better client. */
	if (!sink->has_spoken) {
		peer_set_grace(sink->peer, GRACE_FAREWELL_S);
		(void)page_client_end(sink->peer); /* logged; the dump has failed anyway */
	}
	peer_close(&sink->peer);
	free(sink);
}

static const struct page_sink_ops socket_sink_ops = {
	.has_parent = has_parent,
	.open = open_object,
	.write = write_block,
	.close = close_object,
	.finish = finish_socket_sink,
	.destroy = destroy_socket_sink,
	.in_order = true,
	.sends_zeros = true,
};

int page_sink_to_server(const struct peer_place *place, struct page_sink **ret)
{
	struct peer *peer;
	struct socket_sink *sink;

	TRY(peer_connect(place, &peer));
	sink = xzalloc(sizeof(*sink));
	*sink = (struct socket_sink){ .sink.ops = &socket_sink_ops, .peer = peer };
	*ret = &sink->sink;
	return 0;
}
