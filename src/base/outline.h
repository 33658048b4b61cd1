/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Facts to be told: named texts and numbers, in groups and lists. Who knows a fact adds it, who prints it (as a page or
 * as JSON) needs to know nothing of it. All of it lives in a pool.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pool;

enum outline_type { OUTLINE_TEXT, OUTLINE_NUMBER, OUTLINE_SIZE, OUTLINE_GROUP, OUTLINE_LIST };

struct outline {
	enum outline_type type;
	const char *name; /* NULL: an entry of a list */
	const char *text; /* any bytes */
	int64_t number;	  /* a size is in bytes */
	struct outline *first, *last, *next;
	struct pool *pool;
};

/* An empty group. */
struct outline *outline_create(struct pool *pool);
/* One more in a group, under this name (it is not copied), or in a list (NULL). Texts are copied. */
struct outline *outline_add_group(struct outline *to, const char *name);
struct outline *outline_add_list(struct outline *to, const char *name);
void outline_add_number(struct outline *to, const char *name, int64_t number);
void outline_add_size(struct outline *to, const char *name, uint64_t bytes);
void outline_add_text(struct outline *to, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* It fits into one line: nothing in it has something in it. */
bool outline_is_flat(const struct outline *outline);
