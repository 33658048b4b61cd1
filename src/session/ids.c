/* SPDX-License-Identifier: GPL-2.0-only */
/* User and group ids: as we see them, and as the tree does in a user namespace of its own. */
#include "session/ids.h"

#include <linux/securebits.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <unistd.h>

static uint32_t find_inner(const struct id_map *map, uint32_t outer)
{
	for (size_t i = 0; i < map->n; i++)
		if (outer - map->items[i].outer < map->items[i].count)
			return map->items[i].inner + (outer - map->items[i].outer);
	return NO_ID;
}

static uint32_t find_outer(const struct id_map *map, uint32_t inner)
{
	for (size_t i = 0; i < map->n; i++)
		if (inner - map->items[i].inner < map->items[i].count)
			return map->items[i].outer + (inner - map->items[i].inner);
	return NO_ID;
}

uint32_t dump_inner_uid(const struct dump *d, uint32_t outer)
{
	return d->facts->ids ? find_inner(&d->facts->ids->users, outer) : outer;
}

uint32_t dump_inner_gid(const struct dump *d, uint32_t outer)
{
	return d->facts->ids ? find_inner(&d->facts->ids->groups, outer) : outer;
}

uint32_t restore_outer_uid(const struct restore *r, uint32_t inner)
{
	return r->facts->ids ? find_outer(&r->facts->ids->users, inner) : inner;
}

uint32_t restore_outer_gid(const struct restore *r, uint32_t inner)
{
	return r->facts->ids ? find_outer(&r->facts->ids->groups, inner) : inner;
}

/* Root of the namespace, or whoever there is. */
static uint32_t first_of(const struct id_map *map)
{
	if (find_outer(map, 0) != NO_ID)
		return 0;
	return map->n ? map->items[0].inner : OVERFLOW_ID;
}

uint32_t restore_task_uid(const struct restore *r)
{
	const struct id_maps *ids = r->facts->ids;

	return !ids ? geteuid() : ids->chosen ? ids->uid : first_of(&ids->users);
}

uint32_t restore_task_gid(const struct restore *r)
{
	const struct id_maps *ids = r->facts->ids;

	return !ids ? getegid() : ids->chosen ? ids->gid : first_of(&ids->groups);
}

uint32_t restore_maker_uid(const struct restore *r)
{
	uint32_t uid = r->facts->ids ? restore_outer_uid(r, restore_task_uid(r)) : NO_ID;

	return uid == NO_ID ? geteuid() : uid;
}

uint32_t restore_maker_gid(const struct restore *r)
{
	uint32_t gid = r->facts->ids ? restore_outer_gid(r, restore_task_gid(r)) : NO_ID;

	return gid == NO_ID ? getegid() : gid;
}

/* The right of others to look at us, and the signal of our parent, go with a change of ids. */
static void make_files_as(uid_t uid, gid_t gid)
{
	int dumpable = prctl(PR_GET_DUMPABLE), signal = 0;

	prctl(PR_GET_PDEATHSIG, &signal);
	setfsgid(gid);
	setfsuid(uid);
	prctl(PR_SET_DUMPABLE, dumpable == 1);
	prctl(PR_SET_PDEATHSIG, signal);
}

/* Else the power over all files goes with the id of root. */
static void keep_rights(void)
{
	int bits = prctl(PR_GET_SECUREBITS);

	if (bits >= 0)
		prctl(PR_SET_SECUREBITS, bits | SECBIT_NO_SETUID_FIXUP);
}

void restore_make_files_begin(const struct restore *r)
{
	if (!r->facts->ids)
		return;
	keep_rights();
	make_files_as(restore_maker_uid(r), restore_maker_gid(r));
}

void restore_make_files_end(const struct restore *r)
{
	if (!r->facts->ids)
		return;
	make_files_as(geteuid(), getegid());
	if (r->securebits >= 0)
		prctl(PR_SET_SECUREBITS, r->securebits);
}
