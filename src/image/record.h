/* SPDX-License-Identifier: GPL-2.0-only */
/* Records: a 32-bit length and a packed message, in both directions. Limits are checked here and nowhere else. */
#pragma once

#include "image/image.h"

struct image;
struct store;

/* Passes over what is left of the payload of the last record. */
int image_skip_payload(struct image *image);

/*
 * The next record, of the kind that the table says comes now; rec->base.descriptor tells which. Payload of the record
 * before that was not read is skipped. It is allocated from the pool of the store. Returns 1, or 0 at the end of the
 * file, or -errno: -EBADMSG for a record that is damaged alone, behind which the next one can be read.
 */
int image_read(struct image *image, void *ret_record);

/* The same into malloc'ed memory, for long images: the caller frees with protobuf_c_message_free_unpacked(). */
int image_read_malloc(struct image *image, void *ret_record);

/*
 * For images of very many small records, whose usual form the caller reads faster than the library: if `take` accepts
 * the packed record, 2 is returned, and no record; else it is read as by image_read_malloc().
 */
typedef bool image_take_packed(void *arg, const uint8_t *packed, size_t size);
int image_read_packed(struct image *image, image_take_packed *take, void *arg, void *ret_record);
/* And to write one that the caller has packed. */
int image_write_packed(struct image *image, const uint8_t *packed, size_t size);

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
