/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of all image files: from numbers to names and back. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "image/image.h"

struct image_kind {
	const char *file;     /* "core-%u.img" */
	const char *crit;     /* name of the magic in JSON, NULL for raw images */
	uint32_t head, magic; /* magic 0: raw */
	enum image_shape shape;
	const ProtobufCMessageDescriptor *record;
	const ProtobufCMessageDescriptor *item; /* of the further records; the same as record where all are alike */
};

const struct image_kind *image_kind(enum image_id id);
/* The file name of image `number` into the buffer. */
void image_print_name(enum image_id id, uint64_t number, char *to, size_t capacity);
/* A file name to id and number (0 where it has none). Returns -ENOENT, unlogged, for a file that is no image. */
int image_parse_name(const char *name, enum image_id *ret, uint64_t *ret_number);
/* By type magic or by crit's name: the first of the images that share it, or IMAGE_COUNT. */
enum image_id image_find_magic(uint32_t magic);
enum image_id image_find_crit(const char *crit);
