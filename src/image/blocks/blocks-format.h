/* SPDX-License-Identifier: GPL-2.0-only */
/* A file of blocks as it lies on the disk: all numbers little-endian; head, blocks in any order, index, tail. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "image/cipher.h"

#define BLOCKS_VERSION 1

struct blocks_head {
	uint32_t magic; /* BLOCKS_MAGIC */
	uint8_t version;
	uint8_t codec;	   /* enum codec */
	uint8_t encrypted; /* AES-256-GCM */
	uint8_t reserved;
	uint32_t block_size;
	uint32_t reserved2;
	uint8_t salt[CIPHER_SALT_SIZE]; /* of the key of this file */
};

#define BLOCK_PLAIN 1u /* not compressed: that would have made it no smaller */

/* size 0: all of it is zero. */
struct blocks_index {
	uint64_t offset;
	uint32_t size; /* of what lies there, with the tag of an encrypted block */
	uint32_t flags;
	uint64_t sum; /* of what lies there, before it is decrypted; seed: its number */
};

struct blocks_tail {
	uint64_t size; /* bytes of data */
	uint64_t n_blocks;
	uint64_t index;		      /* offset */
	uint64_t sum;		      /* blocks_describe() */
	uint8_t tag[CIPHER_TAG_SIZE]; /* encrypted: of nothing, bound to the same bytes; else zeros */
	uint32_t version;
	uint32_t magic; /* once more: of a file whose first word is damaged, too, it can be told what it is */
};

/* The number under which the tail is encrypted: no block has it. */
#define BLOCKS_TAIL_NUMBER UINT64_MAX

/* What the sum and the tag of the tail are about. */
static inline void blocks_describe(const struct blocks_head *head, const struct blocks_index *index,
				   const struct blocks_tail *tail, const char *name, struct buffer *ret)
{
	buffer_append(ret, head, sizeof(*head));
	if (tail->n_blocks)
		buffer_append(ret, index, tail->n_blocks * sizeof(*index));
	buffer_append(ret, tail, offsetof(struct blocks_tail, sum));
	if (head->encrypted)
		buffer_append(ret, name, strlen(name));
}
