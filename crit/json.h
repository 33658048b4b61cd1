/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * JSON as Python writes and reads it. No library of Debian's does: images hold unsigned 64-bit numbers, and names that
 * are not UTF-8, which Python carries as lone surrogates (U+DC80 to U+DCFF, "surrogateescape"). Both must survive
 * decode and encode.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

struct pool;

/* --- writing (json-write.c) --- */

struct json_writer {
	struct buffer out;
	bool pretty;  /* indented by 4, else one line */
	bool first;   /* nothing stands in the open object or list yet */
	bool has_key; /* a key waits for its value */
	unsigned depth;
};

void json_open(struct json_writer *writer, char bracket); /* '{' or '[' */
void json_close(struct json_writer *writer, char bracket);
void json_key(struct json_writer *writer, const char *name);
void json_write_text(struct json_writer *writer, const char *text, size_t size);
/* A text in pieces, none of which may end within a character. */
void json_begin_text(struct json_writer *writer);
void json_add_text(struct json_writer *writer, const char *text, size_t size);
void json_end_text(struct json_writer *writer);
void json_write_string(struct json_writer *writer, const char *text);
void json_write_bool(struct json_writer *writer, bool truth);
/* A value written as it is: a number. */
void json_printf(struct json_writer *writer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- reading (json-read.c) --- */

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_TEXT, JSON_LIST, JSON_OBJECT };

struct json {
	enum json_type type;
	unsigned line;	  /* in the input, from 1 */
	const char *key;  /* in an object */
	const char *text; /* of a number or text, with a NUL behind it */
	size_t size;
	struct json *first, *next; /* members of a list or object; the next in the same one */
	size_t n;
};

/* Everything lives in the pool. Malformed input fails with its line. */
int json_read(const char *text, size_t size, struct pool *pool, struct json **ret);
/* The member of an object, or NULL. */
struct json *json_find(const struct json *object, const char *key);
/* For messages: "a list", "a number", ... */
const char *json_type_name(const struct json *value);
