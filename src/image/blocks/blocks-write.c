/* SPDX-License-Identifier: GPL-2.0-only */
/* Writing a file of blocks: threads compress their blocks, and put them where the file ends just then. */
#include "image/blocks/blocks-write.h"

#include "image/blocks/blocks.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/pool.h"
#include "image/blocks/blocks-format.h"

/* Of one thread; the list is that of those which nobody uses just now. */
struct write_context {
	struct write_context *next;
	struct codec_context *codec;
	struct cipher_context *cipher;
	unsigned char *compressed, *encrypted;
};

struct block_writer {
	int fd;
	char name[64];
	struct block_format format;
	struct blocks_head head;
	atomic_ullong end; /* of what was written */
	pthread_mutex_t lock;
	struct write_context *idle;
	struct blocks_index *index;
	uint64_t capacity; /* of the index */
};

int block_writer_create(int fd, const char *name, const struct block_format *format, struct block_writer **ret)
{
	AUTO(block_writer_abandon) struct block_writer *writer = xzalloc(sizeof(*writer));
	int result;

	writer->fd = fd;
	snprintf(writer->name, sizeof(writer->name), "%s", name);
	writer->format = *format;
	pthread_mutex_init(&writer->lock, NULL);
	TRY(codec_load(format->codec));
	writer->head = (struct blocks_head){
		.magic = BLOCKS_MAGIC,
		.version = BLOCKS_VERSION,
		.codec = format->codec,
		.encrypted = format->cipher != NULL,
		.block_size = BLOCK_SIZE,
	};
	if (format->cipher)
		TRY(cipher_random(writer->head.salt, sizeof(writer->head.salt)));
	result = io_pwrite(fd, &writer->head, sizeof(writer->head), 0);
	if (result < 0)
		return fail(-result, "%s: cannot write", name);
	writer->end = sizeof(writer->head);
	*ret = TAKE_PTR(writer);
	return 0;
}

static void destroy_context(struct write_context *context)
{
	codec_context_destroy(&context->codec);
	cipher_context_destroy(&context->cipher);
	free(context->compressed);
	free(context->encrypted);
	free(context);
}

static int make_context(struct block_writer *writer, struct write_context **ret)
{
	struct write_context *context = xzalloc(sizeof(*context));

	context->codec = codec_context_create(writer->format.codec);
	context->compressed = xmalloc(codec_bound(writer->format.codec, BLOCK_SIZE));
	if (writer->format.cipher) {
		int result = cipher_context_create(writer->format.cipher, writer->head.salt, &context->cipher);

		if (result < 0) {
			destroy_context(context);
			return result;
		}
		context->encrypted = xmalloc(BLOCK_SIZE + CIPHER_TAG_SIZE);
	}
	*ret = context;
	return 0;
}

static int take_context(struct block_writer *writer, struct write_context **ret)
{
	pthread_mutex_lock(&writer->lock);
	*ret = writer->idle;
	if (*ret)
		writer->idle = (*ret)->next;
	pthread_mutex_unlock(&writer->lock);
	return *ret ? 0 : make_context(writer, ret);
}

static void give_context(struct block_writer *writer, struct write_context *context)
{
	pthread_mutex_lock(&writer->lock);
	context->next = writer->idle;
	writer->idle = context;
	pthread_mutex_unlock(&writer->lock);
}

static void set_index(struct block_writer *writer, uint64_t number, const struct blocks_index *entry)
{
	pthread_mutex_lock(&writer->lock);
	if (number >= writer->capacity) {
		uint64_t capacity = writer->capacity ? writer->capacity * 2 : 64;

		while (capacity <= number)
			capacity *= 2;
		writer->index = xrealloc(writer->index, capacity * sizeof(*writer->index));
		memset(writer->index + writer->capacity, 0, (capacity - writer->capacity) * sizeof(*writer->index));
		writer->capacity = capacity;
	}
	writer->index[number] = *entry;
	pthread_mutex_unlock(&writer->lock);
}

static bool is_zero(const unsigned char *data, size_t size)
{
	return data[0] == 0 && memcmp(data, data + 1, size - 1) == 0;
}

static int put_block(struct block_writer *writer, struct write_context *context, const void *data, size_t size,
		     uint64_t number)
{
	struct blocks_index entry = { 0 };
	const void *stored = data;
	int result;

	if (is_zero(data, size))
		return 0;
	entry.size = (uint32_t)codec_compress(context->codec, writer->format.level, data, size, context->compressed,
					      size - 1);
	if (entry.size)
		stored = context->compressed;
	else
		entry = (struct blocks_index){ .size = (uint32_t)size, .flags = BLOCK_PLAIN };
	if (context->cipher) {
		TRY(cipher_encrypt(context->cipher, number, writer->name, strlen(writer->name), stored, entry.size,
				   context->encrypted));
		stored = context->encrypted;
		entry.size += CIPHER_TAG_SIZE;
	}
	entry.sum = checksum_of(stored, entry.size, number);
	entry.offset = atomic_fetch_add(&writer->end, entry.size);
	result = io_pwrite(writer->fd, stored, entry.size, (off_t)entry.offset);
	if (result < 0)
		return fail(-result, "%s: cannot write", writer->name);
	set_index(writer, number, &entry);
	return 0;
}

int block_writer_put(struct block_writer *writer, const void *data, size_t size, uint64_t offset)
{
	struct write_context *context;
	int result = take_context(writer, &context);

	TRY(result);
	for (size_t at = 0; at < size && result == 0; at += BLOCK_SIZE)
		result = put_block(writer, context, (const char *)data + at,
				   size - at < BLOCK_SIZE ? size - at : BLOCK_SIZE, (offset + at) / BLOCK_SIZE);
	give_context(writer, context);
	return result;
}

int block_writer_copy(struct block_writer *writer, int from)
{
	AUTO_FREE void *buffer = xmalloc(BLOCK_SIZE);
	off_t at = 0;

	for (;;) {
		off_t data = lseek(from, at, SEEK_DATA);
		ssize_t got;

		if (data < 0 && errno == ENXIO)
			return 0;
		if (data > at)
			at = data / BLOCK_SIZE * BLOCK_SIZE;
		got = io_pread(from, buffer, BLOCK_SIZE, at);
		if (got < 0)
			return fail((int)-got, "%s: cannot read what is to be compressed", writer->name);
		if (got == 0)
			return 0;
		TRY(block_writer_put(writer, buffer, (size_t)got, (uint64_t)at));
		at += got;
	}
}

/* The tag can be made only with the key: nobody else can change the index. */
static int sign_tail(struct block_writer *writer, struct blocks_tail *tail)
{
	AUTO(buffer_done) struct buffer about = { 0 };
	struct write_context *context;
	int result;

	blocks_describe(&writer->head, writer->index, tail, writer->name, &about);
	tail->sum = checksum_of(about.data, about.size, 0);
	if (!writer->format.cipher)
		return 0;
	TRY(take_context(writer, &context));
	result = cipher_encrypt(context->cipher, BLOCKS_TAIL_NUMBER, about.data, about.size, "", 0, tail->tag);
	give_context(writer, context);
	return result;
}

static int write_end(struct block_writer *writer, uint64_t size)
{
	struct blocks_tail tail = { .size = size,
				    .n_blocks = (size + BLOCK_SIZE - 1) / BLOCK_SIZE,
				    .version = BLOCKS_VERSION,
				    .magic = BLOCKS_MAGIC };
	size_t index_size = tail.n_blocks * sizeof(*writer->index);
	const struct blocks_index none = { 0 };
	int result;

	if (tail.n_blocks > writer->capacity)
		set_index(writer, tail.n_blocks - 1, &none);
	tail.index = writer->end;
	TRY(sign_tail(writer, &tail));
	result = index_size ? io_pwrite(writer->fd, writer->index, index_size, (off_t)tail.index) : 0;
	if (result == 0)
		result = io_pwrite(writer->fd, &tail, sizeof(tail), (off_t)(tail.index + index_size));
	return result < 0 ? fail(-result, "%s: cannot write", writer->name) : 0;
}

int block_writer_finish(struct block_writer **writer, uint64_t size)
{
	int result = write_end(*writer, size);

	block_writer_abandon(writer);
	return result;
}

void block_writer_abandon(struct block_writer **ref)
{
	struct block_writer *writer = *ref;

	if (!writer)
		return;
	while (writer->idle) {
		struct write_context *context = writer->idle;

		writer->idle = context->next;
		destroy_context(context);
	}
	pthread_mutex_destroy(&writer->lock);
	free(writer->index);
	free(writer);
	*ref = NULL;
}
