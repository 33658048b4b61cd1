/* SPDX-License-Identifier: GPL-2.0-only */
/* crit: images as JSON and back. Nothing here knows a record by name, except where payloads are. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <protobuf-c/protobuf-c.h>

#include "crit/json.h"

struct image;
struct pool;

/* --- records (decode.c, encode.c) --- */

struct decoding {
	struct json_writer json;
	struct pool *pool;
	bool pretty;
	bool no_payload; /* only its size is shown */
};

/* Bytes of one value of this type in a generated struct. */
size_t field_value_size(ProtobufCType type);
/* The fields that are present, as members of the object that is open. */
void decode_fields(struct decoding *decoding, const ProtobufCMessage *record, bool hex);
/* A whole image; the text is in decoding->json.out. */
int decode_image(struct decoding *decoding, struct image *image);
/* How many entries decode_image() would show, without the head of a pagemap. */
int count_entries(struct image *image, size_t *ret);

/* An object to a record, in the pool. Unknown members are passed over; a missing required one fails. */
int encode_record(const struct json *object, const ProtobufCMessageDescriptor *descriptor, struct pool *pool,
		  ProtobufCMessage **ret);
/* A whole image from {"magic": ..., "entries": [...]} into a descriptor. */
int encode_image(const struct json *json, int fd, const char *name, struct pool *pool);

/* --- the member "extra" (extra.c): what follows a record in the file --- */

/* Reads the payload of the record that was read last and writes the member, if this image has payloads. */
int extra_decode(struct decoding *decoding, struct image *image, const ProtobufCMessage *record);
/* Writes what "extra" holds; object is the entry. */
int extra_encode(const struct json *object, struct image *image, const ProtobufCMessage *record, struct pool *pool);

/* --- reports on a whole directory (explore.c) --- */

/* what: "ps", "tree", "picture" (SVG), "fds", "mems", "rss". -EINVAL, unlogged, for another word. key: of encrypted
 * images, or NULL. */
int explore_checkpoint(int dir, const char *what, const char *key, struct buffer *out);
