/* SPDX-License-Identifier: GPL-2.0-only */
/* The list of needs. */
#include "session/needs.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool need(struct restore *r, enum need_kind kind, const char *what, const char *why, ...)
{
	char text[512];
	va_list args;

	for (size_t i = 0; i < r->needs->list.n; i++)
		if (r->needs->list.items[i].kind == kind && !strcmp(r->needs->list.items[i].what, what))
			return false;
	va_start(args, why);
	vsnprintf(text, sizeof(text), why, args);
	va_end(args);
	*vector_push(&r->needs->list) = (struct need){ kind, pool_string(r->pool, what), pool_string(r->pool, text) };
	return true;
}

void need_feature(struct restore *r, enum feature_id id)
{
	r->needs->features[id] = true;
}
