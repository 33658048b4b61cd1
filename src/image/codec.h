/* SPDX-License-Identifier: GPL-2.0-only */
/* Compressing one block of bytes, and the sum by which damage of it is seen. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers stand in files. */
enum codec { CODEC_NONE, CODEC_ZSTD, CODEC_LZ4, CODEC_COUNT };

const char *codec_name(enum codec codec);
/* -1: no such name. */
int codec_find(const char *name);
/* The range of levels that makes sense; the lowest is the fastest. */
bool codec_has_level(enum codec codec, int level);

/* Its library, which most runs do without; once, before the others are called for this codec. Logged. */
int codec_load(enum codec codec);

/* What one thread needs for its work; made at the first use, for one codec at a time. */
struct codec_context;
struct codec_context *codec_context_create(enum codec codec);
/* Accepts NULL. */
void codec_context_destroy(struct codec_context **context);

/* How many bytes the result can have at most. */
size_t codec_bound(enum codec codec, size_t size);
/* Returns the size of the result, or 0 if it would not be smaller than the capacity. */
size_t codec_compress(struct codec_context *context, int level, const void *from, size_t size, void *to,
		      size_t capacity);
/* True: the result has exactly this size. */
bool codec_decompress(struct codec_context *context, const void *from, size_t size, void *to, size_t result_size);

/* XXH3, 64 bits (xxhash.h), of one piece after the other: begin with 0. */
uint64_t checksum_of(const void *data, size_t size, uint64_t seed);
