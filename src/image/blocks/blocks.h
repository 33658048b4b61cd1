/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What lies in the place of a plain image file when images are compressed or encrypted: blocks of BLOCK_SIZE bytes,
 * each of them compressed, encrypted and with a sum of its own, and an index at the end (docs/COMPRESSION.md). Any part
 * can be read alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "image/codec.h"

/* The first word of such a file. */
#define BLOCKS_MAGIC 0x425a5243u

#define BLOCK_SIZE (128u << 10)

struct cipher;

struct block_format {
	enum codec codec;
	int level;
	const struct cipher *cipher; /* NULL: not encrypted */
};

/* --- writing --- */

struct block_writer;

/* The file is empty and stays the caller's; the name is for messages, and encrypted blocks are bound to it. */
int block_writer_create(int fd, const char *name, const struct block_format *format, struct block_writer **ret);
/*
 * Bytes from an offset on, which is a multiple of BLOCK_SIZE; so is the size but at the end of the data. By several
 * threads at once, each block once; blocks that never come are zeros.
 */
int block_writer_put(struct block_writer *writer, const void *data, size_t size, uint64_t offset);
/* All of another file, up to its size. Holes cost nothing. */
int block_writer_copy(struct block_writer *writer, int from);
/* All has come; size: bytes of data. Frees the writer, also when it fails. */
int block_writer_finish(struct block_writer **writer, uint64_t size);
/* Gives up; accepts NULL. */
void block_writer_abandon(struct block_writer **writer);

/* --- reading --- */

/* Where the bytes are: a file, or, if fd is -1, memory. Both stay the caller's. */
struct block_source {
	int fd;
	const void *data;
	size_t size; /* of the memory */
};

struct block_reader;

/* Does it begin or end as a file of blocks does? */
bool block_source_has_magic(const struct block_source *source);
/* The key comes by get_cipher(arg, ret), which is asked only if the file is encrypted. */
int block_reader_open(const struct block_source *source, const char *name,
		      int (*get_cipher)(void *arg, const struct cipher **ret), void *arg, struct block_reader **ret);
/* Accepts NULL; for AUTO(). */
void block_reader_close(struct block_reader **reader);
/* Bytes of data. */
uint64_t block_reader_size(const struct block_reader *reader);
/* By several threads at once. Fewer bytes than asked for only at the end of the data; or -errno (logged). */
ssize_t block_reader_read(struct block_reader *reader, void *to, size_t size, uint64_t offset);
