/* SPDX-License-Identifier: GPL-2.0-only */
/* A store that is one stream of bytes (--stream=FD): what it is as a store. */
#include "image/pipe/store-pipe.h"

#include "image/pipe/pipe-store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/pool.h"
#include "image/codec.h"
#include "image/pipe/pipe-read.h"
#include "image/store-memory.h"
#include "image/store.h"
#include "image/table.h"

struct pipe_pages *pipe_find_pages(const struct pipe_store *pipe, uint32_t id)
{
	for (size_t i = 0; i < pipe->pages.n; i++)
		if (pipe->pages.items[i]->id == id)
			return pipe->pages.items[i];
	return NULL;
}

struct pipe_pages *pipe_add_pages(struct pipe_store *pipe, uint32_t id, uint64_t size)
{
	struct pipe_pages *pages = xzalloc(sizeof(*pages));

	*pages = (struct pipe_pages){ .pipe = pipe, .id = id, .size = size, .kept = -1 };
	*vector_push(&pipe->pages) = pages;
	return pages;
}

void pipe_add_early(struct pipe_pages *pages, const void *data, size_t size, uint64_t offset)
{
	struct pipe_early *early = vector_push(&pages->early);

	*early = (struct pipe_early){ offset, size, xmalloc(size) };
	memcpy(early->data, data, size);
}

uint64_t pipe_sum(const struct stream_chunk *chunk, const void *payload, uint64_t before)
{
	struct stream_chunk head = *chunk;

	head.sum = 0;
	return checksum_of(payload, chunk->size, checksum_of(&head, sizeof(head), before));
}

int pipe_copy_record(const struct store *records, const char *name, int dir)
{
	AUTO_CLOSE int file = store_make_file(dir, name);
	size_t size;
	const void *data = store_find_file(records, name, &size);
	int error;

	TRY(file);
	error = io_write(file, data, size);
	return error < 0 ? fail(-error, "%s: cannot write", name) : 0;
}

static int pipe_open(struct store *store, struct image *image)
{
	struct pipe_store *pipe = pipe_store_of(store);
	enum image_id id;
	uint64_t number;

	if (image_parse_name(image->name, &id, &number) < 0 || id != IMAGE_PAGES)
		return pipe->records->ops->open(pipe->records, image);
	image->pipe_pages = pipe_find_pages(pipe, (uint32_t)number);
	image->at_end = true; /* it is not read through the buffer */
	return image->pipe_pages ? 0 : -ENOENT;
}

static int pipe_create(struct store *store, struct image *image)
{
	return 0;
}

static int pipe_finish(struct store *store, struct image *image)
{
	return pipe_store_of(store)->records->ops->finish(pipe_store_of(store)->records, image);
}

static int pipe_remove(struct store *store, const char *name)
{
	return pipe_store_of(store)->records->ops->remove(pipe_store_of(store)->records, name);
}

static int pipe_list(struct store *store, int (*visit)(void *arg, const char *name), void *arg)
{
	return store_list(pipe_store_of(store)->records, visit, arg);
}

/* One has to be named: store_set_parent(). */
static int pipe_open_parent(struct store *store, struct store **ret)
{
	return -ENOENT;
}

static int pipe_set_parent(struct store *store, const char *path)
{
	AUTO_CLOSE int dir = openat(pipe_store_of(store)->images_dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return fail_errno("cannot open the parent images %s", path);
	return store_open_dir(dir, false, &store->parent);
}

static void pipe_close(struct store *store)
{
	struct pipe_store *pipe = pipe_store_of(store);

	if (pipe->borrowed)
		return;
	for (size_t i = 0; i < pipe->pages.n; i++) {
		struct pipe_pages *pages = pipe->pages.items[i];

		if (pages->kept >= 0)
			close(pages->kept);
		for (size_t k = 0; k < pages->early.n; k++)
			free(pages->early.items[k].data);
		vector_done(&pages->early);
		free(pages);
	}
	vector_done(&pipe->pages);
	store_close(&pipe->records);
	if (pipe->fd >= 0)
		close(pipe->fd);
	close(pipe->images_dir);
	free(pipe->payload);
}

static const struct store_ops pipe_ops = {
	.open = pipe_open,
	.create = pipe_create,
	.finish = pipe_finish,
	.remove = pipe_remove,
	.open_parent = pipe_open_parent,
	.set_parent = pipe_set_parent,
	.list = pipe_list,
	.close = pipe_close,
};

bool store_is_pipe(const struct store *store)
{
	return store->ops == &pipe_ops;
}

struct pipe_pages *image_get_pipe_pages(const struct image *image)
{
	return image->pipe_pages;
}

uint64_t pipe_pages_size(const struct pipe_pages *pages)
{
	return pages->size;
}

bool store_has_pages_elsewhere(const struct store *store)
{
	return store->pages_elsewhere;
}

int store_pipe_view(struct store *written, struct store **ret)
{
	AUTO(store_close) struct store *view = store_create(&pipe_ops, sizeof(struct pipe_store));
	const struct pipe_store *pipe = pipe_store_of(written);

	pipe_store_of(view)->records = pipe->records;
	pipe_store_of(view)->images_dir = pipe->images_dir;
	memcpy(&pipe_store_of(view)->pages, &pipe->pages, sizeof(pipe->pages));
	pipe_store_of(view)->borrowed = true;
	view->pages_elsewhere = true;
	if (written->parent) {
		TRY(store_open_dir(written->parent->dir, false, &view->parent));
		view->parent->child = view;
		view->parent->pages_elsewhere = true;
	}
	*ret = TAKE_PTR(view);
	return 0;
}

int store_open_pipe(int fd, int images_dir, bool for_writing, unsigned grace, struct store **ret)
{
	AUTO(store_close) struct store *store = store_create(&pipe_ops, sizeof(struct pipe_store));
	struct pipe_store *pipe = pipe_store_of(store);

	pipe->fd = fd;
	pipe->grace = grace;
	pipe->records = store_create_memory();
	store->for_writing = for_writing;
	pipe->images_dir = fcntl(images_dir, F_DUPFD_CLOEXEC, 0);
	if (pipe->images_dir < 0)
		return fail_errno("cannot use the images directory");
	if (!for_writing)
		TRY(pipe_read_records(pipe));
	*ret = TAKE_PTR(store);
	return 0;
}
