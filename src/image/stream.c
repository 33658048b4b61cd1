/* SPDX-License-Identifier: GPL-2.0-only */
/* Bytes of one image through its buffer: few big reads and writes, whatever the size of the records. */
#include "image/stream.h"

#include "image/blocks/blocks-read.h"
#include "image/backend.h"

#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/io.h"
#include "base/pool.h"
#include "image/table.h"

/* Room for `want` waiting bytes. It doubles only as data arrives: a wrong length in a small file costs no memory. */
static void make_capacity(struct image *image, size_t want)
{
	size_t waiting = image_waiting(image), capacity = image->capacity ?: IMAGE_BUFFER;

	if (image->start) {
		memmove(image->buffer, image->buffer + image->start, waiting);
		image->start = 0;
		image->end = waiting;
	}
	if (image->end == image->capacity && image->capacity && want > image->capacity)
		capacity = image->capacity * 2;
	if (capacity > image->capacity) {
		image->buffer = xrealloc(image->buffer, capacity);
		image->capacity = capacity;
	}
}

/* Bytes that are not in the buffer yet, so that no read(2) is needed to learn of the end; 0: not known. */
static uint64_t left_of_file(const struct image *image)
{
	uint64_t read = image->at + image_waiting(image);

	return read < image->file_size ? image->file_size - read : 0;
}

ssize_t image_read_on(struct image *image, void *to, size_t size)
{
	ssize_t got;

	if (image->blocks)
		return block_reader_read(image->blocks, to, size, image->at + image_waiting(image));
	got = io_read(image->fd, to, size);
	return got < 0 ? fail((int)-got, "%s: cannot read", image->name) : got;
}

int image_fill(struct image *image, size_t want)
{
	while (image_waiting(image) < want && !image->at_end) {
		uint64_t known;
		size_t room;
		ssize_t got;

		make_capacity(image, want);
		room = image->capacity - image->end;
		known = left_of_file(image);
		if (known && known < room)
			room = (size_t)known;
		got = image_read_on(image, image->buffer + image->end, room);
		TRY(got);
		if ((size_t)got < room || (uint64_t)got == known)
			image->at_end = true;
		image->end += (size_t)got;
	}
	return 0;
}

void image_take(struct image *image, size_t size)
{
	image->start += size;
	image->at += size;
}

int image_skip(struct image *image, uint64_t size, uint64_t *ret_skipped)
{
	uint64_t left = size;

	while (left) {
		size_t piece;

		TRY(image_fill(image, 1));
		piece = image_waiting(image);
		if (!piece)
			break;
		if (piece > left)
			piece = left;
		image_take(image, piece);
		left -= piece;
	}
	*ret_skipped = size - left;
	return 0;
}

int image_flush(struct image *image)
{
	int error;

	if (image->fd < 0 || !image->end)
		return 0;
	error = io_write(image->fd, image->buffer, image->end);
	if (error < 0)
		return fail(-error, "%s: cannot write", image->name);
	image->end = 0;
	return 0;
}

int image_reserve(struct image *image, size_t size, void **ret)
{
	size_t capacity = image->capacity ?: IMAGE_BUFFER;

	if (image->fd < 0 && image->store && image->store->ops->place && image->end + size > IMAGE_BUFFER)
		TRY(image->store->ops->place(image->store, image));
	if (image->fd >= 0 && image->end + size > capacity)
		TRY(image_flush(image));
	while (capacity < image->end + size)
		capacity *= 2;
	if (capacity > image->capacity) {
		image->buffer = xrealloc(image->buffer, capacity);
		image->capacity = capacity;
	}
	*ret = image->buffer + image->end;
	return 0;
}

int image_start(struct image *image)
{
	const struct image_kind *kind = image->kind;
	void *head;

	if (image->started)
		return 0;
	if (image->store)
		TRY(image->store->ops->create(image->store, image));
	image->started = true;
	if (kind->head) {
		TRY(image_reserve(image, sizeof(kind->head), &head));
		memcpy(head, &kind->head, sizeof(kind->head));
		image->end += sizeof(kind->head);
	}
	if (kind->magic) {
		TRY(image_reserve(image, sizeof(kind->magic), &head));
		memcpy(head, &kind->magic, sizeof(kind->magic));
		image->end += sizeof(kind->magic);
	}
	return 0;
}
