/* SPDX-License-Identifier: GPL-2.0-only */
/* User and group ids: as we see them, and as the tree does in a user namespace of its own. */
#include "session/ids.h"

#include <unistd.h>

#include "userns.pb-c.h"

static uint32_t find_inner(UidGidExtent *const *map, size_t n, uint32_t outer)
{
	for (size_t i = 0; i < n; i++)
		if (outer - map[i]->lower_first < map[i]->count)
			return map[i]->first + (outer - map[i]->lower_first);
	return NO_ID;
}

static uint32_t find_outer(UidGidExtent *const *map, size_t n, uint32_t inner)
{
	for (size_t i = 0; i < n; i++)
		if (inner - map[i]->first < map[i]->count)
			return map[i]->lower_first + (inner - map[i]->first);
	return NO_ID;
}

uint32_t dump_inner_uid(const struct dump *d, uint32_t outer)
{
	return d->ids ? find_inner(d->ids->uid_map, d->ids->n_uid_map, outer) : outer;
}

uint32_t dump_inner_gid(const struct dump *d, uint32_t outer)
{
	return d->ids ? find_inner(d->ids->gid_map, d->ids->n_gid_map, outer) : outer;
}

uint32_t restore_outer_uid(const struct restore *r, uint32_t inner)
{
	return r->ids ? find_outer(r->ids->uid_map, r->ids->n_uid_map, inner) : inner;
}

uint32_t restore_outer_gid(const struct restore *r, uint32_t inner)
{
	return r->ids ? find_outer(r->ids->gid_map, r->ids->n_gid_map, inner) : inner;
}

/* Root of the namespace, or whoever there is. */
static uint32_t first_of(UidGidExtent *const *map, size_t n)
{
	if (find_outer(map, n, 0) != NO_ID)
		return 0;
	return n ? map[0]->first : OVERFLOW_ID;
}

uint32_t restore_task_uid(const struct restore *r)
{
	return r->ids ? first_of(r->ids->uid_map, r->ids->n_uid_map) : geteuid();
}

uint32_t restore_task_gid(const struct restore *r)
{
	return r->ids ? first_of(r->ids->gid_map, r->ids->n_gid_map) : getegid();
}
