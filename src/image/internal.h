/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of this folder share: the insides of an image and of a store. */
#pragma once

#include <stdio.h>

#include "image/blocks/blocks.h"
#include "image/cipher.h"
#include "image/image.h"
#include "image/store.h"

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
	int version;
	bool pages_elsewhere; /* also of the parents: pages images may be missing */
	bool for_writing;

	bool in_blocks; /* what is written is compressed or encrypted, as `format` says */
	struct block_format format;
	struct cipher *cipher;	   /* of its own: to encrypt, or found by the private key */
	const struct cipher *lent; /* that of another store of these images */
	const char *private_key;   /* a file, or NULL; also of the parents */
};

/* store.c */
struct store *store_create(const struct store_ops *ops, size_t size);

/* store-blocks.c: images that are files of blocks. */

/* Is this image to be written in blocks? */
bool store_wants_blocks(const struct store *store, enum image_id id);
/* Where such an image is collected until it is complete. */
int store_make_temporary(struct image *image);
/* Puts it into an empty file. */
int store_finish_temporary(struct image *image, int file);
/* Reading: the file turned out to be one of blocks. */
int image_open_blocks(struct image *image);
/* Opens the file as one of blocks if it is one: for images that have no head of their own. */
int image_probe_blocks(struct image *image);
/* An image of blocks as a plain file, for those who need a descriptor. */
int image_unpack_blocks(struct image *image);

/* stream.c: bytes through the buffer. */

/* The bytes behind those that wait in the buffer; fewer than size only at the end of the file. Failures are logged. */
ssize_t image_read_on(struct image *image, void *to, size_t size);
/* At least `want` bytes wait in the buffer, or all that the file still has. */
int image_fill(struct image *image, size_t want);
static inline size_t image_waiting(const struct image *image)
{
	return image->end - image->start;
}
/* size bytes are used up. */
void image_take(struct image *image, size_t size);
/* Passes over size bytes; says through ret_skipped how many there were. */
int image_skip(struct image *image, uint64_t size, uint64_t *ret_skipped);
/* Writing: makes the file with its head if that did not happen yet. */
int image_start(struct image *image);
/* Writing: room for size bytes at the end of the buffer, in one piece; counted by the caller in `end`. */
int image_reserve(struct image *image, size_t size, void **ret);

/* payload.c: bytes that follow a record in the file. -EINVAL (logged) if that cannot be. */
int image_payload_of(struct image *image, const ProtobufCMessage *record, uint64_t *ret);
/* Whether bytes may follow such a record. */
bool image_has_payload(const ProtobufCMessageDescriptor *record);
/* record.c: passes over what is left of the payload of the last record. */
int image_skip_payload(struct image *image);
