/* SPDX-License-Identifier: GPL-2.0-only */
/* Writing a file of blocks. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct block_format;
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
