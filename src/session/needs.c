/* SPDX-License-Identifier: GPL-2.0-only */
/* The list of needs. */
#include "session/needs.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"

bool needs_add(const struct restore *r, enum need_kind kind, const char *what, const char *why, ...)
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

void need_feature(const struct restore *r, enum feature_id id)
{
	r->needs->features[id] = true;
}

int needs_refuse_kernel(enum feature_id id)
{
	return refuse(ENOSYS, "this kernel lacks %s (Linux %s), which is needed for %s", features[id].name,
		      features[id].since, features[id].needed_for);
}

/* Of a restore. */
static const struct state_type probes_state = { sizeof(struct probes), NULL };

int need_kernel(const struct restore *r, enum feature_id id)
{
	if (r->needs) {
		need_feature(r, id);
		return 0;
	}
	return probe_result(state_get(r->states, &probes_state), id) ? 0 : needs_refuse_kernel(id);
}

int need_given(const struct restore *r, enum need_kind kind, const char *what, const char *why, const char *refusal)
{
	if (!r->needs)
		return refuse(kind == NEED_RIGHTS ? EPERM : EINVAL, "%s", refusal);
	(void)needs_add(r, kind, what, "%s", why);
	return 0;
}

void need_other_paths(const struct restore *r)
{
	if (r->needs)
		r->needs->other_paths = true;
}

void need_other_addresses(const struct restore *r)
{
	if (r->needs)
		r->needs->other_addresses = true;
}

bool needs_other_paths(const struct restore *r)
{
	return r->needs->other_paths;
}

bool needs_other_addresses(const struct restore *r)
{
	return r->needs->other_addresses;
}

void need_unchecked(const struct restore *r)
{
	r->needs->unchecked++;
}
