/* SPDX-License-Identifier: LGPL-2.1-only */
/* Facts to be told: named texts and numbers, in groups and lists. */
#include "base/outline.h"

#include <stdarg.h>

#include "base/pool.h"

static struct outline *make_node(struct pool *pool, enum outline_type type, const char *name)
{
	struct outline *node = pool_new(pool, struct outline);

	*node = (struct outline){ .type = type, .name = name, .pool = pool };
	return node;
}

static struct outline *add_node(struct outline *to, enum outline_type type, const char *name)
{
	struct outline *node = make_node(to->pool, type, name);

	if (to->last)
		to->last->next = node;
	else
		to->first = node;
	to->last = node;
	return node;
}

struct outline *outline_create(struct pool *pool)
{
	return make_node(pool, OUTLINE_GROUP, NULL);
}

struct outline *outline_add_group(struct outline *to, const char *name)
{
	return add_node(to, OUTLINE_GROUP, name);
}

struct outline *outline_add_list(struct outline *to, const char *name)
{
	return add_node(to, OUTLINE_LIST, name);
}

void outline_add_number(struct outline *to, const char *name, int64_t number)
{
	add_node(to, OUTLINE_NUMBER, name)->number = number;
}

void outline_add_size(struct outline *to, const char *name, uint64_t bytes)
{
	add_node(to, OUTLINE_SIZE, name)->number = (int64_t)bytes;
}

void outline_add_text(struct outline *to, const char *name, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add_node(to, OUTLINE_TEXT, name)->text = pool_vprintf(to->pool, format, arguments);
	va_end(arguments);
}

bool outline_is_flat(const struct outline *outline)
{
	for (const struct outline *node = outline->first; node; node = node->next)
		if (node->type == OUTLINE_GROUP || node->type == OUTLINE_LIST)
			return false;
	return true;
}
