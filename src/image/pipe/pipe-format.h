/* SPDX-License-Identifier: GPL-2.0-only */
/* A whole checkpoint in one stream of bytes (docs/MIGRATION.md): chunks, all numbers little-endian. */
#pragma once

#include <stdint.h>

#define PIPE_TEXT    "criu-stream\n"
#define PIPE_VERSION 1
/* Payload of one chunk. */
#define PIPE_CHUNK_MAX (1u << 20)
/* A stream may have so many images, of which those without pages may be so large; more is taken for damage. */
#define PIPE_IMAGES_MAX	 (1u << 20)
#define PIPE_RECORDS_MAX (1ull << 40)
/* Pieces of one pages image that are sent with the records. */
#define PIPE_EARLY_MAX 64

enum stream_chunk_kind {
	PIPE_HEAD = 1, /* number: PIPE_VERSION; payload: PIPE_TEXT */
	PIPE_IMAGE,    /* number: of the image, counted from 0; length: its size; payload: its name */
	PIPE_DATA,     /* number: of the image; offset: in it; payload: bytes. Of pages images some come before
			* PIPE_RECORDS, and all of them, in order, after it */
	PIPE_ZEROS,    /* the same, `length` bytes of zero */
	PIPE_RECORDS,  /* all images but pages images are complete */
	PIPE_COMMIT,   /* number: of the chunks before this one; nothing follows */
};

struct stream_chunk {
	uint32_t kind;
	uint32_t size; /* of the payload, which follows */
	uint64_t number, offset, length;
	/* checksum_of() this head, with 0 here, and of the payload; it begins with the sum of the chunk before. */
	uint64_t sum;
};
