/* SPDX-License-Identifier: GPL-2.0-only */
/* Compressing one block of bytes with libzstd or liblz4; sums by libxxhash. */
#include "image/codec.h"

#include <lz4.h>
#include <lz4hc.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#include "base/pool.h"

static const struct {
	const char *name;
	int lowest, highest;
} codecs[CODEC_COUNT] = {
	[CODEC_NONE] = { "none", 0, 0 },
	[CODEC_ZSTD] = { "zstd", 1, 19 },
	[CODEC_LZ4] = { "lz4", 1, LZ4HC_CLEVEL_MAX },
};

struct codec_context {
	enum codec codec;
	ZSTD_CCtx *compressor;
	ZSTD_DCtx *decompressor;
};

const char *codec_name(enum codec codec)
{
	return codecs[codec].name;
}

int codec_find(const char *name)
{
	for (int i = 0; i < CODEC_COUNT; i++)
		if (!strcmp(codecs[i].name, name))
			return i;
	return -1;
}

bool codec_has_level(enum codec codec, int level)
{
	return level >= codecs[codec].lowest && level <= codecs[codec].highest;
}

struct codec_context *codec_context_create(enum codec codec)
{
	struct codec_context *context = xzalloc(sizeof(*context));

	context->codec = codec;
	return context;
}

void codec_context_destroy(struct codec_context **ref)
{
	struct codec_context *context = *ref;

	if (!context)
		return;
	ZSTD_freeCCtx(context->compressor);
	ZSTD_freeDCtx(context->decompressor);
	free(context);
	*ref = NULL;
}

size_t codec_bound(enum codec codec, size_t size)
{
	switch (codec) {
	case CODEC_ZSTD:
		return ZSTD_compressBound(size);
	case CODEC_LZ4:
		return (size_t)LZ4_compressBound((int)size);
	default:
		return size;
	}
}

static size_t compress_zstd(struct codec_context *context, int level, const void *from, size_t size, void *to,
			    size_t capacity)
{
	size_t result;

	if (!context->compressor)
		context->compressor = ZSTD_createCCtx();
	if (!context->compressor)
		out_of_memory();
	result = ZSTD_compressCCtx(context->compressor, to, capacity, from, size, level);
	return ZSTD_isError(result) ? 0 : result;
}

static size_t compress_lz4(int level, const void *from, size_t size, void *to, size_t capacity)
{
	int result = level < LZ4HC_CLEVEL_MIN ? LZ4_compress_default(from, to, (int)size, (int)capacity)
					      : LZ4_compress_HC(from, to, (int)size, (int)capacity, level);

	return result > 0 ? (size_t)result : 0;
}

size_t codec_compress(struct codec_context *context, int level, const void *from, size_t size, void *to,
		      size_t capacity)
{
	switch (context->codec) {
	case CODEC_ZSTD:
		return compress_zstd(context, level, from, size, to, capacity);
	case CODEC_LZ4:
		return compress_lz4(level, from, size, to, capacity);
	default:
		return 0;
	}
}

bool codec_decompress(struct codec_context *context, const void *from, size_t size, void *to, size_t result_size)
{
	if (context->codec == CODEC_LZ4)
		return LZ4_decompress_safe(from, to, (int)size, (int)result_size) == (int)result_size;
	if (context->codec != CODEC_ZSTD)
		return false;
	if (!context->decompressor)
		context->decompressor = ZSTD_createDCtx();
	if (!context->decompressor)
		out_of_memory();
	return ZSTD_decompressDCtx(context->decompressor, to, result_size, from, size) == result_size;
}

uint64_t checksum_of(const void *data, size_t size, uint64_t seed)
{
	return XXH3_64bits_withSeed(data, size, seed);
}
