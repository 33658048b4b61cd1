/* SPDX-License-Identifier: GPL-2.0-only */
/* User and group ids: as we see them, and as the tree does in a user namespace of its own. */
#include "session/ids.h"

#include <linux/securebits.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
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

uint32_t restore_maker_uid(const struct restore *r)
{
	uint32_t uid = r->ids ? restore_outer_uid(r, restore_task_uid(r)) : NO_ID;

	return uid == NO_ID ? geteuid() : uid;
}

uint32_t restore_maker_gid(const struct restore *r)
{
	uint32_t gid = r->ids ? restore_outer_gid(r, restore_task_gid(r)) : NO_ID;

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
static void keep_rights(bool keep)
{
	int bits = prctl(PR_GET_SECUREBITS);

	if (bits >= 0)
		prctl(PR_SET_SECUREBITS, keep ? bits | SECBIT_NO_SETUID_FIXUP : bits & ~SECBIT_NO_SETUID_FIXUP);
}

void restore_make_files_begin(const struct restore *r)
{
	if (!r->ids)
		return;
	keep_rights(true);
	make_files_as(restore_maker_uid(r), restore_maker_gid(r));
}

void restore_make_files_end(const struct restore *r)
{
	if (!r->ids)
		return;
	make_files_as(geteuid(), getegid());
	keep_rights(false);
}
