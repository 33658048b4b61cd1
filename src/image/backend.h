/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of this folder share: the insides of an image and of a store. */
#pragma once

#include <stdio.h>

#include "image/blocks/blocks.h"
#include "image/image.h"

#define IMAGE_BUFFER (64u << 10) /* bytes moved by one read or write */
#define IMAGE_NAME   64

struct image {
	enum image_id id;
	const struct image_kind *kind;
	char name[IMAGE_NAME];
	struct store *store; /* NULL for images in a descriptor of the caller */
	struct pool *pool;
	int fd; /* -1: in memory, or not made yet */
	bool writing, started;
	bool caller_fd;
	struct block_reader *blocks;   /* reading: the file is one of blocks; `at` and fd are about what they hold */
	struct block_writer *writer;   /* writing: whoever asked for it puts the blocks, image_start_blocks() */
	struct pipe_pages *pipe_pages; /* reading: it comes through a stream, which was not read that far */
	bool in_blocks;		       /* writing: by image_start_blocks() */
	bool temporary;		       /* writing: fd is no file of the store; at the end it becomes one of blocks */

	/* Reading: bytes [start, end) wait to be used. Writing: bytes [0, end) wait to be written. */
	unsigned char *buffer;
	size_t start, end, capacity;
	bool borrowed;	    /* the buffer is the whole file and belongs to the store */
	bool at_end;	    /* nothing comes after what is in the buffer */
	uint64_t at;	    /* offset of `start` in the file */
	uint64_t file_size; /* when it was opened; 0: not known */

	unsigned n_records, items_left;
	uint64_t record_at, payload_left;
};

struct store_ops {
	/* Reading: sets fd or buffer. -ENOENT, unlogged, if there is no such file. */
	int (*open)(struct store *store, struct image *image);
	/* Writing: the first byte is there; sets fd, or leaves -1 and takes the buffer in finish. */
	int (*create)(struct store *store, struct image *image);
	/* It was left -1, and it becomes too large for memory, or somebody wants a descriptor: sets fd. Optional. */
	int (*place)(struct store *store, struct image *image);
	/* The image is complete and, where it has an fd, written. Optional. */
	int (*finish)(struct store *store, struct image *image);
	/* Nothing was written: an old file goes. */
	int (*remove)(struct store *store, const char *name);
	/* -ENOENT, unlogged: has none. */
	int (*open_parent)(struct store *store, struct store **ret);
	/* Sets store->parent, or makes open_parent find it. */
	int (*set_parent)(struct store *store, const char *path);
	int (*list)(struct store *store, int (*visit)(void *arg, const char *name), void *arg);
	void (*close)(struct store *store);
};

struct store {
	const struct store_ops *ops;
	struct pool *pool;
	struct store *parent, *child;
	int dir;		      /* -1: none */
	struct write_behind *behind;  /* NULL: all is written at once */
	struct write_behind *written; /* reading: looked into first; belongs to another store; may be NULL */
	struct read_ahead *ahead;     /* reading: may have been read already; may be NULL */
	int version;
	bool pages_elsewhere; /* also of the parents: pages images may be missing */
	bool for_writing;

	bool in_blocks; /* what is written is compressed or encrypted, as `format` says */
	struct block_format format;
	struct cipher *cipher;	   /* of its own: to encrypt, or found by the private key */
	const struct cipher *lent; /* that of another store of these images */
	const char *private_key;   /* a file, or NULL; also of the parents */
};
