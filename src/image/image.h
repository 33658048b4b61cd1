/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One image file: framed protobuf records, the payloads between them, or raw bytes. All images are listed in table.def.
 *
 * Reading:
 *	AUTO(image_close) struct image *image = NULL;
 *	FdinfoEntry *entry;
 *	int more;
 *
 *	TRY(image_open(store, &image, IMAGE_FDINFO, files_id));
 *	while ((more = image_read(image, &entry)) > 0)
 *		...
 *	return more;
 *
 * Writing:
 *	TRY(image_create(store, &image, IMAGE_FS, pid));
 *	TRY(image_write(image, &entry));
 *	return image_finish(&image);
 *
 * Every failure is logged with the name of the image, the number of the record and its offset.
 * One image is used by one thread at a time; all that are read from one store share its pool: they belong to one
 *thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <protobuf-c/protobuf-c.h>

#include "base/auto.h"

struct block_reader;
struct block_writer;
struct image;
struct store;
struct pool;

enum image_id {
#define IMAGE(id, ...)	    IMAGE_##id,
#define IMAGE2(id, ...)	    IMAGE_##id,
#define RAW_IMAGE(id, name) IMAGE_##id,
#include "image/table.def"
#undef IMAGE
#undef IMAGE2
#undef RAW_IMAGE
	IMAGE_COUNT
};

enum image_shape { SHAPE_RAW, SHAPE_ONE, SHAPE_MANY, SHAPE_HEADED, SHAPE_NESTED };

#define IMAGE_HEAD_NONE	   0u
#define IMAGE_HEAD_COMMON  0x54564319u
#define IMAGE_HEAD_SERVICE 0x55105940u

/* What the reader accepts; more is taken for damage. */
#define IMAGE_RECORD_MAX  (64u << 20) /* bytes of one record */
#define IMAGE_RECORDS_MAX (1u << 24)  /* records in one file */

struct image_kind {
	const char *file;     /* "core-%u.img" */
	const char *crit;     /* name of the magic in JSON, NULL for raw images */
	uint32_t head, magic; /* magic 0: raw */
	enum image_shape shape;
	const ProtobufCMessageDescriptor *record;
	const ProtobufCMessageDescriptor *item; /* of the further records; the same as record where all are alike */
};

/* --- the table (table.c) --- */

const struct image_kind *image_kind(enum image_id id);
/* The file name of image `number` into the buffer. */
void image_print_name(enum image_id id, uint64_t number, char *to, size_t capacity);
/* A file name to id and number (0 where it has none). Returns -ENOENT, unlogged, for a file that is no image. */
int image_parse_name(const char *name, enum image_id *ret, uint64_t *ret_number);
/* By type magic or by crit's name: the first of the images that share it, or IMAGE_COUNT. */
enum image_id image_find_magic(uint32_t magic);
enum image_id image_find_crit(const char *crit);

/* --- open and close --- */

struct image_number {
	uint64_t number;
};

/* Opens for reading. The number is left out where the name has none. Returns -ENOENT, unlogged, if it is missing. */
#define image_open(store, ret, id, ...) image_open_number((store), (ret), (id), (struct image_number){ __VA_ARGS__ })
int image_open_number(struct store *store, struct image **ret, enum image_id id, struct image_number number);

/*
 * Begins to write. The file is made (or an old one cut to nothing) at the first byte, or by image_fd(); if none comes,
 * image_finish() removes an old file of that name.
 */
#define image_create(store, ret, id, ...) \
	image_create_number((store), (ret), (id), (struct image_number){ __VA_ARGS__ })
int image_create_number(struct store *store, struct image **ret, enum image_id id, struct image_number number);

/*
 * An image in an open descriptor, which stays the caller's; name is for messages. Reading finds out which image it is
 * by its magic (-EBADMSG, unlogged, through ret_magic if unknown). Records read live in the pool.
 */
int image_open_fd(int fd, const char *name, struct pool *pool, struct image **ret, uint32_t *ret_magic);
int image_create_fd(int fd, const char *name, enum image_id id, struct image **ret);

/* Writes what is buffered; the image stays open for more. */
int image_flush(struct image *image);
/* Writes what is left and reports write errors. For readers the same as image_close(). *image is NULL afterwards. */
int image_finish(struct image **image);
/* Gives up: what is buffered is not written. Accepts NULL; for AUTO(image_close). */
void image_close(struct image **image);

enum image_id image_get_id(const struct image *image);
const char *image_get_name(const struct image *image);

/* --- records --- */

/*
 * The next record, of the kind that the table says comes now; rec->base.descriptor tells which. Payload of the record
 * before that was not read is skipped. It is allocated from the pool of the store. Returns 1, or 0 at the end of the
 * file, or -errno: -EBADMSG for a record that is damaged alone, behind which the next one can be read.
 */
int image_read(struct image *image, void *ret_record);

/*
 * Reads all of an image, for those who want to know of all damage in it: goes on behind a record that is damaged alone.
 * Returns 0, or the first failure (-ENOENT, unlogged, if it is missing); all are reported.
 */
struct image_contents {
	unsigned records;
	uint64_t size; /* of the file */
};
int image_scan(struct store *store, enum image_id id, uint64_t number, struct image_contents *ret);

/* The same into malloc'ed memory, for long images: the caller frees with protobuf_c_message_free_unpacked(). */
int image_read_malloc(struct image *image, void *ret_record);

/* The only record of an image with one. Returns 0, or -ENOENT, unlogged, if the file is missing. */
#define image_read_one(store, id, ret, ...) \
	image_read_one_number((store), (id), (ret), (struct image_number){ __VA_ARGS__ })
int image_read_one_number(struct store *store, enum image_id id, void *ret_record, struct image_number number);

/* Writes the record; buffered. image_write(image, &entry) for any generated struct. */
#define image_write(image, record) image_write_message((image), &(record)->base)
int image_write_message(struct image *image, const ProtobufCMessage *record);

/* An image that is one record: create, write, finish. */
#define image_write_one(store, id, record, ...) \
	image_write_one_number((store), (id), &(record)->base, (struct image_number){ __VA_ARGS__ })
int image_write_one_number(struct store *store, enum image_id id, const ProtobufCMessage *record,
			   struct image_number number);

/* Makes the file with just its head, for images that exist also without records. */
int image_write_head(struct image *image);

/* --- payload: bytes after a record (payload.c knows how many), and the bytes of raw images --- */

#define IMAGE_TO_THE_END UINT64_MAX
/* Bytes of payload of the last record that were not read yet; IMAGE_TO_THE_END for all the rest of the file. */
uint64_t image_payload_left(const struct image *image);
/* Exactly size bytes; less is a failure. */
int image_read_bytes(struct image *image, void *to, size_t size);
/* Up to size bytes: fewer only at the end of the payload. Returns the count. */
ssize_t image_read_some(struct image *image, void *to, size_t size);
/* All of the payload into the pool, with a NUL after it. At most IMAGE_RECORD_MAX. */
int image_read_payload(struct image *image, void **ret, size_t *ret_size);
/* All of the payload to a descriptor. */
int image_read_to_fd(struct image *image, int fd);

int image_write_bytes(struct image *image, const void *from, size_t size);
/* Zeros that the format wants after `size` bytes to reach a multiple of `align`. */
int image_write_padding(struct image *image, size_t size, size_t align);
/* size bytes of a file from an offset on. A file that has become shorter is a failure. */
int image_write_from_fd(struct image *image, int fd, off_t at, uint64_t size);

/*
 * The descriptor of a raw image, for pread and pwrite by workers or to hand to a tool; makes the file. Stays the
 * image's: keep the image open. Returns -errno (logged).
 */
int image_fd(struct image *image);

/*
 * Instead of image_fd(), for those who can write or read in blocks: the writer or reader if the image is one of blocks,
 * else NULL. Both stay the image's. When all is written: image_finish_blocks() before image_finish().
 */
int image_start_blocks(struct image *image, struct block_writer **ret);
int image_finish_blocks(struct image *image, uint64_t size);
struct block_reader *image_get_blocks(const struct image *image);

/* Logs "NAME: record N at offset X: MESSAGE" for contents that make no sense to a reader. Returns -EINVAL. */
int image_refuse(struct image *image, const char *format, ...) __attribute__((format(printf, 2, 3)));
