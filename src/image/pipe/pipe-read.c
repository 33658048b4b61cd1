/* SPDX-License-Identifier: GPL-2.0-only */
/* A stream on its way in. */
#include "image/pipe/pipe-read.h"

#include "image/pipe/pipe-store.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/meter.h"
#include "base/interrupt.h"
#include "base/io.h"
#include "base/log.h"
#include "base/pool.h"
#include "image/pipe/store-pipe.h"
#include "image/store-memory.h"
#include "image/store.h"
#include "image/table.h"

static int refuse_stream(const char *why)
{
	return refuse(EBADMSG, "the stream is damaged: %s", why);
}

static int read_all(const struct pipe_store *pipe, void *to, size_t size)
{
	const struct deadline never = { 0 };
	char *at = to;

	while (size) {
		ssize_t got;

		TRY(interrupt_poll(pipe->fd, POLLIN, &never));
		got = read(pipe->fd, at, size);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return fail_errno("the stream: cannot read");
		if (got == 0)
			return refuse(ENODATA, "the stream ends before its commit mark: it was interrupted, and is no "
					       "checkpoint");
		at += got;
		size -= (size_t)got;
	}
	return 0;
}

/* The next one, whole and as it was sent. */
static int next_chunk(struct pipe_store *pipe)
{
	struct stream_chunk *chunk = &pipe->chunk;

	if (pipe->committed)
		return refuse_stream("there is not all that it announced");
	TRY(read_all(pipe, chunk, sizeof(*chunk)));
	if (pipe->n_chunks == 0 && (chunk->kind != PIPE_HEAD || chunk->size != sizeof(PIPE_TEXT) - 1))
		return refuse(EBADMSG, "this is no stream that criu dump --stream has written");
	if (chunk->size > PIPE_CHUNK_MAX)
		return refuse_stream("a chunk is too long");
	TRY(read_all(pipe, pipe->payload, chunk->size));
	if (pipe_sum(chunk, pipe->payload, pipe->sum) != chunk->sum)
		return refuse_stream("a checksum is wrong");
	pipe->sum = chunk->sum;
	pipe->n_chunks++;
	pipe->at = 0;
	if (chunk->kind == PIPE_ZEROS ? chunk->size != 0 : chunk->kind == PIPE_DATA ? chunk->size == 0 : false)
		return refuse_stream("a chunk of no bytes");
	if (chunk->kind == PIPE_COMMIT && chunk->number != pipe->n_chunks - 1)
		return refuse_stream("chunks are missing");
	pipe->committed = chunk->kind == PIPE_COMMIT;
	return 0;
}

static struct pipe_pages *find_numbered(const struct pipe_store *pipe, uint64_t number)
{
	for (size_t i = 0; i < pipe->pages.n; i++)
		if (pipe->pages.items[i]->number == number)
			return pipe->pages.items[i];
	return NULL;
}

/* --- records --- */

/* An image that is being read. */
struct coming {
	char name[IMAGE_NAME];
	uint64_t size;
	struct buffer data;
	bool open;
};

static int finish_image(struct pipe_store *pipe, struct coming *coming)
{
	if (coming->open && coming->data.size != coming->size)
		return refuse_stream("an image is cut off");
	if (coming->open)
		store_add_file(pipe->records, coming->name, coming->data.data, coming->data.size);
	buffer_done(&coming->data);
	*coming = (struct coming){ 0 };
	return 0;
}

/* Only names of images: they become names of files somewhere. */
static int begin_image(struct pipe_store *pipe, struct coming *coming)
{
	const struct stream_chunk *chunk = &pipe->chunk;
	enum image_id id;
	uint64_t number;
	size_t size;

	TRY(finish_image(pipe, coming));
	if (chunk->size == 0 || chunk->size >= sizeof(coming->name) || memchr(pipe->payload, 0, chunk->size))
		return refuse_stream("the name of an image makes no sense");
	memcpy(coming->name, pipe->payload, chunk->size);
	coming->name[chunk->size] = 0;
	if (strchr(coming->name, '/') || image_parse_name(coming->name, &id, &number) < 0)
		return refuse_stream("something in it is no image");
	if (chunk->number != pipe->n_images++ || chunk->number >= PIPE_IMAGES_MAX || chunk->length > PIPE_RECORDS_MAX)
		return refuse_stream("an image has the wrong number");
	if (id == IMAGE_PAGES) {
		if (number > UINT32_MAX || pipe_find_pages(pipe, (uint32_t)number))
			return refuse_stream("two pages images of the same name");
		pipe_add_pages(pipe, (uint32_t)number, chunk->length)->number = chunk->number;
		return 0;
	}
	if (store_find_file(pipe->records, coming->name, &size))
		return refuse_stream("two images of the same name");
	coming->size = chunk->length;
	coming->open = true;
	return 0;
}

static int add_early(struct pipe_store *pipe, struct pipe_pages *pages)
{
	const struct stream_chunk *chunk = &pipe->chunk;

	if (chunk->offset > pages->size || chunk->size > pages->size - chunk->offset ||
	    pages->early.n == PIPE_EARLY_MAX)
		return refuse_stream("a piece of an image is not where it should be");
	pipe_add_early(pages, pipe->payload, chunk->size, chunk->offset);
	return 0;
}

static int add_data(struct pipe_store *pipe, struct coming *coming)
{
	const struct stream_chunk *chunk = &pipe->chunk;
	struct pipe_pages *pages = find_numbered(pipe, chunk->number);

	if (pages)
		return add_early(pipe, pages);
	if (!coming->open || chunk->number != pipe->n_images - 1 || chunk->offset != coming->data.size ||
	    chunk->size > coming->size - coming->data.size)
		return refuse_stream("a piece of an image is not where it should be");
	buffer_append(&coming->data, pipe->payload, chunk->size);
	return 0;
}

static int read_images(struct pipe_store *pipe, struct coming *coming)
{
	for (;;) {
		TRY(next_chunk(pipe));
		switch (pipe->chunk.kind) {
		case PIPE_IMAGE:
			TRY(begin_image(pipe, coming));
			break;
		case PIPE_DATA:
			TRY(add_data(pipe, coming));
			break;
		case PIPE_RECORDS:
			TRY(finish_image(pipe, coming));
			return pipe->chunk.number == pipe->n_images ? 0 : refuse_stream("images are missing");
		default:
			return refuse_stream("a chunk is of an unknown kind");
		}
	}
}

int pipe_read_records(struct pipe_store *pipe)
{
	struct coming coming = { 0 };
	int result;

	pipe->payload = xmalloc(PIPE_CHUNK_MAX);
	TRY(next_chunk(pipe));
	if (memcmp(pipe->payload, PIPE_TEXT, sizeof(PIPE_TEXT) - 1) != 0)
		return refuse(EBADMSG, "this is no stream that criu dump --stream has written");
	if (pipe->chunk.number != PIPE_VERSION)
		return refuse(EOPNOTSUPP, "the stream is of version %" PRIu64 ", this criu knows %u",
			      pipe->chunk.number, PIPE_VERSION);
	result = read_images(pipe, &coming);
	buffer_done(&coming.data);
	return result;
}

/* --- pages --- */

static uint64_t chunk_length(const struct pipe_store *pipe)
{
	return pipe->chunk.kind == PIPE_ZEROS ? pipe->chunk.length : pipe->chunk.size;
}

static bool has_content(const struct pipe_store *pipe)
{
	return (pipe->chunk.kind == PIPE_DATA || pipe->chunk.kind == PIPE_ZEROS) && pipe->at < chunk_length(pipe);
}

/* The next one with content of pages; its image is checked. NULL: the commit mark has come. */
static int next_content(struct pipe_store *pipe, struct pipe_pages **ret)
{
	struct pipe_pages *pages = NULL;

	if (!has_content(pipe)) {
		TRY(next_chunk(pipe));
		if (pipe->chunk.kind != PIPE_COMMIT && !has_content(pipe))
			return refuse_stream("a chunk among the pages is none of pages");
	}
	if (pipe->chunk.kind != PIPE_COMMIT) {
		pages = find_numbered(pipe, pipe->chunk.number);
		if (!pages || pipe->chunk.offset + pipe->at != pages->passed ||
		    chunk_length(pipe) - pipe->at > pages->size - pages->passed)
			return refuse_stream("pages are not where they should be");
	}
	*ret = pages;
	return 0;
}

/* Up to size bytes of the chunk. */
static size_t take_content(struct pipe_store *pipe, struct pipe_pages *pages, void *to, size_t size)
{
	if (size > chunk_length(pipe) - pipe->at)
		size = (size_t)(chunk_length(pipe) - pipe->at);
	if (pipe->chunk.kind == PIPE_ZEROS)
		memset(to, 0, size);
	else
		memcpy(to, pipe->payload + pipe->at, size);
	pipe->at += size;
	pages->passed += size;
	return size;
}

/* Nobody wants them now: a reader may come later. Zeros need no memory. */
static int keep_content(struct pipe_store *pipe, struct pipe_pages *pages, uint64_t size)
{
	uint64_t left = chunk_length(pipe) - pipe->at;
	int error = 0;

	if (size > left)
		size = left;
	if (pages->kept < 0) {
		pages->kept = memfd_create("pages of a stream", MFD_CLOEXEC);
		if (pages->kept < 0 || ftruncate(pages->kept, (off_t)pages->size) < 0)
			return fail_errno("the stream: cannot keep pages in memory");
	}
	if (pipe->chunk.kind == PIPE_DATA)
		error = io_pwrite(pages->kept, pipe->payload + pipe->at, size, (off_t)pages->passed);
	pipe->at += size;
	pages->passed += size;
	pipe->n_kept += pipe->chunk.kind == PIPE_DATA ? size : 0;
	return error < 0 ? fail(-error, "the stream: cannot keep pages in memory") : 0;
}

static int read_kept(const struct pipe_pages *pages, char *to, size_t size, uint64_t offset)
{
	ssize_t got = pages->kept < 0 ? -EINVAL : io_pread(pages->kept, to, size, (off_t)offset);

	return got == (ssize_t)size ? 0 : fail(got < 0 ? (int)-got : EIO, "the stream: pages that were read before");
}

/* What comes first is ours, and begins at the wanted offset. */
static int read_coming(struct pipe_pages *pages, char *to, size_t size, uint64_t offset)
{
	while (size) {
		struct pipe_pages *first;

		TRY(next_content(pages->pipe, &first));
		if (!first)
			return refuse_stream("there are fewer pages than it announced");
		if (first != pages) {
			TRY(keep_content(pages->pipe, first, UINT64_MAX));
		} else if (pages->passed < offset) {
			TRY(keep_content(pages->pipe, pages, offset - pages->passed));
		} else {
			size_t taken = take_content(pages->pipe, pages, to, size);

			to += taken;
			offset += taken;
			size -= taken;
		}
	}
	return 0;
}

static const struct pipe_early *find_early(const struct pipe_pages *pages, size_t size, uint64_t offset)
{
	for (size_t i = 0; i < pages->early.n; i++) {
		const struct pipe_early *early = &pages->early.items[i];

		if (offset >= early->offset && offset - early->offset <= early->size &&
		    size <= early->size - (offset - early->offset))
			return early;
	}
	return NULL;
}

int pipe_pages_read(struct pipe_pages *pages, void *to, size_t size, uint64_t offset)
{
	const struct pipe_early *early = find_early(pages, size, offset);
	size_t before = 0;

	if (early) {
		memcpy(to, early->data + (offset - early->offset), size);
		return 0;
	}
	if (offset < pages->passed)
		before = size < pages->passed - offset ? size : (size_t)(pages->passed - offset);
	if (before)
		TRY(read_kept(pages, to, before, offset));
	return read_coming(pages, (char *)to + before, size - before, offset + before);
}

int store_pipe_read_rest(struct store *store)
{
	struct pipe_store *pipe = pipe_store_of(store);

	while (!pipe->committed) {
		struct pipe_pages *pages;

		TRY(next_content(pipe, &pages));
		if (!pages)
			break;
		pages->passed += chunk_length(pipe) - pipe->at;
		pipe->at = chunk_length(pipe);
	}
	for (size_t i = 0; i < pipe->pages.n; i++)
		if (pipe->pages.items[i]->passed != pipe->pages.items[i]->size)
			return refuse_stream("there are fewer pages than it announced");
	log_info("The stream is complete: %" PRIu64 " images; of pages %" PRIu64 " bytes had to wait", pipe->n_images,
		 pipe->n_kept);
	return 0;
}

/* --- into a directory --- */

static int make_files(struct pipe_store *pipe, int dir)
{
	char name[IMAGE_NAME];

	for (size_t i = 0; i < pipe->pages.n; i++) {
		struct pipe_pages *pages = pipe->pages.items[i];

		image_print_name(IMAGE_PAGES, pages->id, name, sizeof(name));
		pages->kept = store_make_file(dir, name);
		TRY(pages->kept);
		if (ftruncate(pages->kept, (off_t)pages->size) < 0)
			return fail_errno("cannot make %s %" PRIu64 " bytes long", name, pages->size);
	}
	return 0;
}

struct copying {
	const struct store *records;
	int dir;
	bool inventory;
};

static int copy_if_wanted(void *arg, const char *name)
{
	const struct copying *copying = arg;
	enum image_id id;
	uint64_t number;

	if (image_parse_name(name, &id, &number) < 0 || (id == IMAGE_INVENTORY) != copying->inventory)
		return 0;
	return pipe_copy_record(copying->records, name, copying->dir);
}

int store_pipe_unpack(struct store *store, int dir, struct meter *meter)
{
	struct pipe_store *pipe = pipe_store_of(store);
	AUTO(store_close) struct store *to = NULL;
	struct copying copying = { .records = pipe->records, .dir = dir };
	struct pipe_pages *pages;

	TRY(store_open_dir(dir, true, &to));
	TRY(to->ops->remove(to, image_kind(IMAGE_INVENTORY)->file));
	TRY(make_files(pipe, dir));
	TRY(store_list(pipe->records, copy_if_wanted, &copying));
	for (size_t i = 0; i < pipe->pages.n; i++)
		meter_expect(meter, (int64_t)pipe->pages.items[i]->size);
	while (!pipe->committed) {
		TRY(next_content(pipe, &pages));
		if (!pages)
			continue;
		TRY(keep_content(pipe, pages, UINT64_MAX));
		TRY(meter_pass(meter, chunk_length(pipe), pipe->chunk.size));
	}
	TRY(store_pipe_read_rest(store));
	copying.inventory = true;
	return store_list(pipe->records, copy_if_wanted, &copying);
}
