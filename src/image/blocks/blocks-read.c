/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading a file of blocks, any part of it. */
#include "image/blocks/blocks-read.h"

#include "image/blocks/blocks.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/pool.h"
#include "image/blocks/blocks-format.h"

#define NO_BLOCK UINT64_MAX

/* Of one thread; the list is that of those which nobody uses just now. */
struct read_context {
	struct read_context *next;
	struct codec_context *codec;
	struct cipher_context *cipher;
	unsigned char *stored, *compressed;
	unsigned char *block; /* the last one that was wanted in part */
	uint64_t number;      /* of it */
};

struct block_reader {
	struct block_source source;
	char name[64];
	struct blocks_head head;
	struct blocks_tail tail;
	struct blocks_index *index;
	const struct cipher *cipher;
	pthread_mutex_t lock;
	struct read_context *idle;
};

static size_t most_stored(void)
{
	return BLOCK_SIZE + CIPHER_TAG_SIZE;
}

static int read_source(const struct block_reader *reader, void *to, size_t size, uint64_t at)
{
	ssize_t got;

	if (reader->source.fd < 0) {
		if (at > reader->source.size || size > reader->source.size - at)
			return refuse(EINVAL, "%s: damaged: ends within a block", reader->name);
		memcpy(to, (const char *)reader->source.data + at, size);
		return 0;
	}
	got = io_pread(reader->source.fd, to, size, (off_t)at);
	if (got < 0)
		return fail((int)-got, "%s: cannot read", reader->name);
	return (size_t)got == size ? 0 : refuse(EINVAL, "%s: damaged: ends within a block", reader->name);
}

static int source_size(const struct block_reader *reader, uint64_t *ret)
{
	struct stat stat;

	*ret = reader->source.size;
	if (reader->source.fd < 0)
		return 0;
	if (fstat(reader->source.fd, &stat) < 0)
		return fail_errno("%s: cannot be examined", reader->name);
	*ret = (uint64_t)stat.st_size;
	return 0;
}

static int check_head(const struct block_reader *reader)
{
	const struct blocks_head *head = &reader->head;

	if (head->magic != BLOCKS_MAGIC)
		return refuse(EINVAL, "%s: damaged: is no file of compressed blocks", reader->name);
	if (head->version != BLOCKS_VERSION || head->codec >= CODEC_COUNT || head->encrypted > 1 ||
	    head->block_size != BLOCK_SIZE)
		return refuse(EINVAL, "%s: compressed in a way that this criu does not know", reader->name);
	return codec_load(head->codec);
}

static bool is_zero_tag(const struct blocks_tail *tail)
{
	static const uint8_t zeros[CIPHER_TAG_SIZE];

	return !memcmp(tail->tag, zeros, sizeof(zeros));
}

/* Everything between head and tail is blocks and index: a wrong number must not lead out of it. */
static int read_index(struct block_reader *reader, uint64_t file_size)
{
	const struct blocks_tail *tail = &reader->tail;
	AUTO(buffer_done) struct buffer about = { 0 };
	const uint64_t end = file_size - sizeof(*tail);

	if (tail->magic != BLOCKS_MAGIC || tail->version != BLOCKS_VERSION || tail->index < sizeof(reader->head) ||
	    tail->index > end || tail->n_blocks != (end - tail->index) / sizeof(*reader->index) ||
	    (end - tail->index) % sizeof(*reader->index) || tail->size > tail->n_blocks * BLOCK_SIZE ||
	    (tail->n_blocks && tail->size <= (tail->n_blocks - 1) * BLOCK_SIZE))
		return refuse(EINVAL, "%s: damaged: its index is wrong", reader->name);
	reader->index = xmalloc(end - tail->index + 1);
	TRY(read_source(reader, reader->index, end - tail->index, tail->index));
	blocks_describe(&reader->head, reader->index, tail, reader->name, &about);
	if (checksum_of(about.data, about.size, 0) != tail->sum || (!reader->head.encrypted && !is_zero_tag(tail)))
		return refuse(EINVAL, "%s: damaged: the checksum of its index is wrong", reader->name);
	for (uint64_t i = 0; i < tail->n_blocks; i++) {
		const struct blocks_index *entry = &reader->index[i];

		if (entry->size > most_stored() || entry->offset > tail->index ||
		    entry->size > tail->index - entry->offset)
			return refuse(EINVAL, "%s: damaged: its index is wrong", reader->name);
	}
	return 0;
}

/* --- contexts --- */

static void destroy_context(struct read_context *context)
{
	codec_context_destroy(&context->codec);
	cipher_context_destroy(&context->cipher);
	free(context->stored);
	free(context->compressed);
	free(context->block);
	free(context);
}

static int make_context(struct block_reader *reader, struct read_context **ret)
{
	struct read_context *context = xzalloc(sizeof(*context));

	context->number = NO_BLOCK;
	context->codec = codec_context_create(reader->head.codec);
	context->stored = xmalloc(most_stored());
	context->compressed = xmalloc(most_stored()); /* the two change places */
	context->block = xmalloc(BLOCK_SIZE);
	if (reader->cipher) {
		int result = cipher_context_create(reader->cipher, reader->head.salt, &context->cipher);

		if (result < 0) {
			destroy_context(context);
			return result;
		}
	}
	*ret = context;
	return 0;
}

/* The one that has the block, else any. */
static int take_context(struct block_reader *reader, uint64_t number, struct read_context **ret)
{
	struct read_context **place;

	pthread_mutex_lock(&reader->lock);
	for (place = &reader->idle; *place && (*place)->number != number && (*place)->next; place = &(*place)->next)
		;
	*ret = *place;
	if (*ret)
		*place = (*ret)->next;
	pthread_mutex_unlock(&reader->lock);
	return *ret ? 0 : make_context(reader, ret);
}

static void give_context(struct block_reader *reader, struct read_context *context)
{
	pthread_mutex_lock(&reader->lock);
	context->next = reader->idle;
	reader->idle = context;
	pthread_mutex_unlock(&reader->lock);
}

/* --- blocks --- */

static int refuse_block(const struct block_reader *reader, uint64_t number)
{
	return refuse(EINVAL, "%s: damaged: the checksum of block %" PRIu64 " is wrong", reader->name, number);
}

static size_t block_size(const struct block_reader *reader, uint64_t number)
{
	uint64_t left = reader->tail.size - number * BLOCK_SIZE;

	return left < BLOCK_SIZE ? left : BLOCK_SIZE;
}

/* What lies in the file, decrypted, to context->compressed. */
static int read_stored(struct block_reader *reader, struct read_context *context, uint64_t number, size_t *ret_size)
{
	const struct blocks_index *entry = &reader->index[number];

	TRY(read_source(reader, context->stored, entry->size, entry->offset));
	if (checksum_of(context->stored, entry->size, number) != entry->sum)
		return refuse_block(reader, number);
	if (!context->cipher) {
		unsigned char *stored = context->stored;

		*ret_size = entry->size;
		if (*ret_size > BLOCK_SIZE)
			return refuse_block(reader, number);
		context->stored = context->compressed;
		context->compressed = stored;
		return 0;
	}
	if (entry->size < CIPHER_TAG_SIZE)
		return refuse_block(reader, number);
	*ret_size = entry->size - CIPHER_TAG_SIZE;
	if (cipher_decrypt(context->cipher, number, reader->name, strlen(reader->name), context->stored, *ret_size,
			   context->compressed) < 0)
		return refuse(EBADMSG, "%s: block %" PRIu64 " cannot be decrypted: it is not what was written",
			      reader->name, number);
	return 0;
}

/* to has room for the whole block. */
static int read_block(struct block_reader *reader, struct read_context *context, uint64_t number, unsigned char *to)
{
	const size_t size = block_size(reader, number);
	const struct blocks_index *entry = &reader->index[number];
	size_t stored = 0;

	if (!entry->size) {
		memset(to, 0, size);
		return 0;
	}
	TRY(read_stored(reader, context, number, &stored));
	if (!(entry->flags & BLOCK_PLAIN))
		return codec_decompress(context->codec, context->compressed, stored, to, size)
			       ? 0
			       : refuse(EINVAL, "%s: damaged: block %" PRIu64 " cannot be decompressed", reader->name,
					number);
	if (stored != size)
		return refuse_block(reader, number);
	memcpy(to, context->compressed, size);
	return 0;
}

/* [from, from + size) of the block. */
static int read_part(struct block_reader *reader, uint64_t number, size_t from, size_t size, unsigned char *to)
{
	const bool whole = from == 0 && size == block_size(reader, number);
	struct read_context *context;
	int result;

	TRY(take_context(reader, number, &context));
	if (whole && context->number != number) {
		result = read_block(reader, context, number, to);
	} else {
		result = context->number == number ? 0 : read_block(reader, context, number, context->block);
		context->number = result == 0 ? number : NO_BLOCK;
		if (result == 0)
			memcpy(to, context->block + from, size);
	}
	give_context(reader, context);
	return result;
}

ssize_t block_reader_read(struct block_reader *reader, void *to, size_t size, uint64_t offset)
{
	size_t done = 0;

	if (offset >= reader->tail.size)
		return 0;
	if (size > reader->tail.size - offset)
		size = reader->tail.size - offset;
	while (done < size) {
		uint64_t number = (offset + done) / BLOCK_SIZE;
		size_t from = (offset + done) % BLOCK_SIZE, part = block_size(reader, number) - from;

		if (part > size - done)
			part = size - done;
		TRY(read_part(reader, number, from, part, (unsigned char *)to + done));
		done += part;
	}
	return (ssize_t)done;
}

/* --- open and close --- */

bool block_source_has_magic(const struct block_source *source)
{
	struct block_reader reader = { .source = *source, .name = "" };
	uint64_t size = source->size;
	uint32_t words[2] = { 0 };
	struct stat stat;

	if (source->fd >= 0)
		size = fstat(source->fd, &stat) == 0 && S_ISREG(stat.st_mode) ? (uint64_t)stat.st_size : 0;
	if (size < sizeof(words[0]) || read_source(&reader, &words[0], sizeof(words[0]), 0) < 0 ||
	    read_source(&reader, &words[1], sizeof(words[1]), size - sizeof(words[1])) < 0)
		return false;
	return words[0] == BLOCKS_MAGIC || words[1] == BLOCKS_MAGIC;
}

/* Without the right key nothing of the file is believed. */
static int check_tag(struct block_reader *reader)
{
	AUTO(buffer_done) struct buffer about = { 0 };
	struct read_context *context;
	unsigned char none;
	int result;

	TRY(take_context(reader, NO_BLOCK, &context));
	blocks_describe(&reader->head, reader->index, &reader->tail, reader->name, &about);
	result =
		cipher_decrypt(context->cipher, BLOCKS_TAIL_NUMBER, about.data, about.size, reader->tail.tag, 0, &none);
	give_context(reader, context);
	return result < 0
		       ? refuse(EBADMSG, "%s cannot be decrypted: it is not what was written, or not of these images",
				reader->name)
		       : 0;
}

static int open_reader(struct block_reader *reader, int (*get_cipher)(void *arg, const struct cipher **ret), void *arg)
{
	uint64_t size;

	TRY(source_size(reader, &size));
	if (size < sizeof(reader->head) + sizeof(reader->tail))
		return refuse(EINVAL, "%s: damaged: ends within its head", reader->name);
	TRY(read_source(reader, &reader->head, sizeof(reader->head), 0));
	TRY(check_head(reader));
	TRY(read_source(reader, &reader->tail, sizeof(reader->tail), size - sizeof(reader->tail)));
	TRY(read_index(reader, size));
	if (!reader->head.encrypted)
		return 0;
	TRY(get_cipher(arg, &reader->cipher));
	return check_tag(reader);
}

int block_reader_open(const struct block_source *source, const char *name,
		      int (*get_cipher)(void *arg, const struct cipher **ret), void *arg, struct block_reader **ret)
{
	AUTO(block_reader_close) struct block_reader *reader = xzalloc(sizeof(*reader));

	reader->source = *source;
	snprintf(reader->name, sizeof(reader->name), "%s", name);
	pthread_mutex_init(&reader->lock, NULL);
	TRY(open_reader(reader, get_cipher, arg));
	*ret = TAKE_PTR(reader);
	return 0;
}

void block_reader_close(struct block_reader **ref)
{
	struct block_reader *reader = *ref;

	if (!reader)
		return;
	while (reader->idle) {
		struct read_context *context = reader->idle;

		reader->idle = context->next;
		destroy_context(context);
	}
	pthread_mutex_destroy(&reader->lock);
	free(reader->index);
	free(reader);
	*ref = NULL;
}

uint64_t block_reader_size(const struct block_reader *reader)
{
	return reader->tail.size;
}
