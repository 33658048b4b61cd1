/* SPDX-License-Identifier: GPL-2.0-only */
/* A stream on its way out. */
#include "image/pipe/pipe-write.h"

#include "image/pipe/pipe-store.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "image/pipe/store-pipe.h"
#include "image/store-memory.h"
#include "image/store.h"
#include "image/table.h"

static int write_all(const struct pipe_store *pipe, struct iovec *parts, unsigned n)
{
	while (n) {
		const struct deadline deadline = deadline_in_seconds(pipe->grace);
		ssize_t done;
		int ready = interrupt_poll(pipe->fd, POLLOUT, &deadline);

		TRY(ready);
		if (!ready)
			return refuse(ETIMEDOUT, "the stream: nobody has taken anything for %u seconds", pipe->grace);
		done = writev(pipe->fd, parts, (int)n);
		if (done < 0 && errno != EINTR && errno != EAGAIN)
			return fail_errno("the stream: cannot write");
		for (; n && done >= (ssize_t)parts->iov_len; parts++, n--)
			done -= (ssize_t)parts->iov_len;
		if (n && done > 0) {
			parts->iov_base = (char *)parts->iov_base + done;
			parts->iov_len -= (size_t)done;
		}
	}
	return 0;
}

static int send_chunk(struct pipe_store *pipe, struct stream_chunk chunk, const void *payload)
{
	struct iovec parts[] = { { &chunk, sizeof(chunk) }, { (void *)payload, chunk.size } };

	pipe->sum = chunk.sum = pipe_sum(&chunk, payload, pipe->sum);
	pipe->n_chunks++;
	return write_all(pipe, parts, chunk.size ? 2 : 1);
}

static int send_data(struct pipe_store *pipe, uint64_t number, const char *data, size_t size, uint64_t offset)
{
	while (size) {
		uint32_t piece = size < PIPE_CHUNK_MAX ? (uint32_t)size : PIPE_CHUNK_MAX;

		TRY(send_chunk(pipe, (struct stream_chunk){ PIPE_DATA, piece, .number = number, .offset = offset },
			       data));
		data += piece;
		offset += piece;
		size -= piece;
	}
	return 0;
}

static int send_name(struct pipe_store *pipe, const char *name, uint64_t size, uint64_t *ret_number)
{
	struct stream_chunk chunk = { PIPE_IMAGE, (uint32_t)strlen(name), .number = pipe->n_images, .length = size };

	*ret_number = pipe->n_images++;
	return send_chunk(pipe, chunk, name);
}

static int send_image(void *arg, const char *name)
{
	struct pipe_store *pipe = arg;
	uint64_t number;
	size_t size;
	const void *data = store_find_file(pipe->records, name, &size);

	TRY(send_name(pipe, name, size, &number));
	return send_data(pipe, number, data, size, 0);
}

void store_pipe_announce(struct store *store, uint32_t pages_id, uint64_t size)
{
	pipe_add_pages(pipe_store_of(store), pages_id, size);
}

void store_pipe_announce_early(struct store *store, uint32_t pages_id, const void *data, size_t size, uint64_t offset)
{
	pipe_add_early(pipe_find_pages(pipe_store_of(store), pages_id), data, size, offset);
}

static int send_early(struct pipe_store *pipe, const struct pipe_pages *pages)
{
	for (size_t i = 0; i < pages->early.n; i++) {
		const struct pipe_early *early = &pages->early.items[i];

		TRY(send_data(pipe, pages->number, (const char *)early->data, early->size, early->offset));
	}
	return 0;
}

int store_pipe_send_records(struct store *store)
{
	struct pipe_store *pipe = pipe_store_of(store);
	char name[IMAGE_NAME];

	TRY(send_chunk(pipe, (struct stream_chunk){ PIPE_HEAD, sizeof(PIPE_TEXT) - 1, .number = PIPE_VERSION },
		       PIPE_TEXT));
	TRY(store_list(pipe->records, send_image, pipe));
	for (size_t i = 0; i < pipe->pages.n; i++) {
		struct pipe_pages *pages = pipe->pages.items[i];

		image_print_name(IMAGE_PAGES, pages->id, name, sizeof(name));
		TRY(send_name(pipe, name, pages->size, &pages->number));
		TRY(send_early(pipe, pages));
	}
	return send_chunk(pipe, (struct stream_chunk){ PIPE_RECORDS, .number = pipe->n_images }, NULL);
}

static int pass_on(struct store *store, uint32_t pages_id, uint64_t size, uint64_t offset, uint64_t *ret_number)
{
	struct pipe_pages *pages = pipe_find_pages(pipe_store_of(store), pages_id);

	if (!pages || pages->passed != offset || size > pages->size - offset)
		return refuse(EINVAL, "the stream: pages-%u.img is not written in order", pages_id);
	pages->passed += size;
	*ret_number = pages->number;
	return 0;
}

int store_pipe_send_pages(struct store *store, uint32_t pages_id, const void *data, size_t size, uint64_t offset)
{
	uint64_t number;

	TRY(pass_on(store, pages_id, size, offset, &number));
	return send_data(pipe_store_of(store), number, data, size, offset);
}

int store_pipe_send_zeros(struct store *store, uint32_t pages_id, uint64_t size, uint64_t offset)
{
	struct stream_chunk chunk = { PIPE_ZEROS, .offset = offset, .length = size };

	TRY(pass_on(store, pages_id, size, offset, &chunk.number));
	return send_chunk(pipe_store_of(store), chunk, NULL);
}

int store_pipe_commit(struct store *store)
{
	struct pipe_store *pipe = pipe_store_of(store);

	for (size_t i = 0; i < pipe->pages.n; i++)
		if (pipe->pages.items[i]->passed != pipe->pages.items[i]->size)
			return refuse(EINVAL, "the stream: pages-%u.img is not complete", pipe->pages.items[i]->id);
	return send_chunk(pipe, (struct stream_chunk){ PIPE_COMMIT, .number = pipe->n_chunks }, NULL);
}

void store_pipe_end(struct store *store)
{
	close(TAKE_FD(pipe_store_of(store)->fd));
}

struct keeping {
	const struct store *records;
	int dir;
};

static int keep_image(void *arg, const char *name)
{
	const struct keeping *keeping = arg;

	return pipe_copy_record(keeping->records, name, keeping->dir);
}

int store_pipe_keep(struct store *store, int dir)
{
	struct keeping keeping = { pipe_store_of(store)->records, dir };

	return store_list(pipe_store_of(store)->records, keep_image, &keeping);
}
