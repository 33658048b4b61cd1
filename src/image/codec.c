/* SPDX-License-Identifier: GPL-2.0-only */
/* Compressing one block of bytes with libzstd or liblz4, which are loaded when that is wanted; sums by xxhash.h. */
#include "image/codec.h"

#include <lz4.h>
#include <lz4hc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL /* no library for one function */
#include <xxhash.h>
#include <zstd.h>

#include "base/array.h"
#include "base/pool.h"
#include "base/symbols.h"

/* clang-format off */
#define LIBZSTD(X) \
	X(ZSTD_compressBound) X(ZSTD_compressCCtx) X(ZSTD_createCCtx) X(ZSTD_createDCtx) X(ZSTD_decompressDCtx) \
	X(ZSTD_freeCCtx) X(ZSTD_freeDCtx) X(ZSTD_isError)
#define LIBLZ4(X) \
	X(LZ4_compressBound) X(LZ4_compress_HC) X(LZ4_compress_default) X(LZ4_decompress_safe)
/* clang-format on */

struct libzstd {
	LIBZSTD(LIBRARY_MEMBER)
};

struct liblz4 {
	LIBLZ4(LIBRARY_MEMBER)
};

#ifdef STATIC_BUILD
static struct libzstd libzstd = { LIBZSTD(LIBRARY_LINKED) };
static struct liblz4 liblz4 = { LIBLZ4(LIBRARY_LINKED) };
#else
static struct libzstd libzstd;
static struct liblz4 liblz4;
#endif

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

#define LIBRARY_TABLE libzstd
static int load_zstd(void)
{
	static const struct loaded_symbol symbols[] = { LIBZSTD(LIBRARY_SYMBOL) };

	return symbols_load("libzstd.so.1", symbols, ARRAY_SIZE(symbols));
}
#undef LIBRARY_TABLE

#define LIBRARY_TABLE liblz4
static int load_lz4(void)
{
	static const struct loaded_symbol symbols[] = { LIBLZ4(LIBRARY_SYMBOL) };

	return symbols_load("liblz4.so.1", symbols, ARRAY_SIZE(symbols));
}

int codec_load(enum codec codec)
{
	static pthread_mutex_t one_by_one = PTHREAD_MUTEX_INITIALIZER;
	int error;

	pthread_mutex_lock(&one_by_one);
	error = codec == CODEC_ZSTD ? load_zstd() : codec == CODEC_LZ4 ? load_lz4() : 0;
	pthread_mutex_unlock(&one_by_one);
	return error;
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
	if (context->compressor)
		libzstd.ZSTD_freeCCtx(context->compressor);
	if (context->decompressor)
		libzstd.ZSTD_freeDCtx(context->decompressor);
	free(context);
	*ref = NULL;
}

size_t codec_bound(enum codec codec, size_t size)
{
	switch (codec) {
	case CODEC_ZSTD:
		return libzstd.ZSTD_compressBound(size);
	case CODEC_LZ4:
		return (size_t)liblz4.LZ4_compressBound((int)size);
	default:
		return size;
	}
}

static size_t compress_zstd(struct codec_context *context, int level, const void *from, size_t size, void *to,
			    size_t capacity)
{
	size_t result;

	if (!context->compressor)
		context->compressor = libzstd.ZSTD_createCCtx();
	if (!context->compressor)
		out_of_memory();
	result = libzstd.ZSTD_compressCCtx(context->compressor, to, capacity, from, size, level);
	return libzstd.ZSTD_isError(result) ? 0 : result;
}

static size_t compress_lz4(int level, const void *from, size_t size, void *to, size_t capacity)
{
	int result = level < LZ4HC_CLEVEL_MIN ? liblz4.LZ4_compress_default(from, to, (int)size, (int)capacity)
					      : liblz4.LZ4_compress_HC(from, to, (int)size, (int)capacity, level);

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
		return liblz4.LZ4_decompress_safe(from, to, (int)size, (int)result_size) == (int)result_size;
	if (context->codec != CODEC_ZSTD)
		return false;
	if (!context->decompressor)
		context->decompressor = libzstd.ZSTD_createDCtx();
	if (!context->decompressor)
		out_of_memory();
	return libzstd.ZSTD_decompressDCtx(context->decompressor, to, result_size, from, size) == result_size;
}

uint64_t checksum_of(const void *data, size_t size, uint64_t seed)
{
	return XXH3_64bits_withSeed(data, size, seed);
}
