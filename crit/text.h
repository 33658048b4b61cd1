/* SPDX-License-Identifier: GPL-2.0-only */
/* Bytes as text: base64 and quoted-printable, in the forms of Python's base64 and quopri modules. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

struct pool;

/* With a line break after 76 characters and at the end; nothing for no bytes. */
void base64_encode(struct buffer *out, const void *data, size_t size);
#define BASE64_LINE \
	57 /* bytes that make a line of 76 characters: pieces of so many, or of a multiple, follow each other well */

/* Text in pieces, cut anywhere; zeroed at first. -EINVAL, unlogged; bytes are appended. Blanks and line breaks are
 * passed over. */
struct base64_reader {
	uint32_t bits;
	unsigned n, fill;
};
int base64_read(struct base64_reader *reader, const char *text, size_t size, struct buffer *out);
/* -EINVAL, unlogged, if the text ended too early. */
int base64_end(const struct base64_reader *reader);
/* Blanks and line breaks are passed over. -EINVAL, unlogged. The result lives in the pool. */
int base64_decode(struct pool *pool, const char *text, size_t size, void **ret, size_t *ret_size);

void quoted_printable_encode(struct buffer *out, const void *data, size_t size);
int quoted_printable_decode(struct pool *pool, const char *text, size_t size, void **ret, size_t *ret_size);
