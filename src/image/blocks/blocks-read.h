/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading a file of blocks, any part of it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct block_reader;
struct cipher;

/* Where the bytes are: a file, or, if fd is -1, memory. Both stay the caller's. */
struct block_source {
	int fd;
	const void *data;
	size_t size; /* of the memory */
};

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
