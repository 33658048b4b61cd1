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
 * thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <protobuf-c/protobuf-c.h>

#include "base/auto.h"

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

/* --- the table (table.c) --- */

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
/* Writes what is left and reports write errors. For readers the same as image_close(). *image is NULL afterwards. */
int image_finish(struct image **image);
/* Gives up: what is buffered is not written. Accepts NULL; for AUTO(image_close). */
void image_close(struct image **image);

enum image_id image_get_id(const struct image *image);
const char *image_get_name(const struct image *image);

/* --- records --- */

/* --- payload: bytes after a record (payload.c knows how many), and the bytes of raw images --- */

/*
 * The descriptor of a raw image, for pread and pwrite by workers or to hand to a tool; makes the file. Stays the
 * image's: keep the image open. Returns -errno (logged).
 */
int image_fd(struct image *image);

/* Logs "NAME: record N at offset X: MESSAGE" for contents that make no sense to a reader. Returns -EINVAL. */
int image_refuse(struct image *image, const char *format, ...) __attribute__((format(printf, 2, 3)));
