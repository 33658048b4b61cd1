/* SPDX-License-Identifier: GPL-2.0-only */
/* Credentials that the kernel keeps for an io_uring and its requests. */
#include "object/memory/uring/uring-creds.h"

#include <errno.h>
#include <string.h>

#include "base/fail.h"
#include "base/pool.h"
#include "kern/peek.h"
#include "object/memory/uring/uring-view.h"
#include "object/task/part.h"

#define SIZE_MAX_OF_CREDS 256
#define GROUPS_MAX	  65536 /* NGROUPS_MAX */

/* All ids and capabilities lie in one piece. */
bool uring_creds_are_equal(struct uring_view *view, uint64_t one, uint64_t other)
{
	const struct btf_place *first = &view->places[AT_cred_uid], *last = &view->places[AT_cred_cap_ambient];
	const size_t size = last->offset + last->size - first->offset;
	uint8_t contents[2][SIZE_MAX_OF_CREDS];

	if (one == other)
		return true;
	if (last->offset < first->offset || size > SIZE_MAX_OF_CREDS)
		return false;
	uring_view_read(view, uring_view_place(view, one, AT_cred_uid), contents[0], size);
	uring_view_read(view, uring_view_place(view, other, AT_cred_uid), contents[1], size);
	return memcmp(contents[0], contents[1], size) == 0 &&
	       uring_view_member(view, one, AT_cred_user_ns) == uring_view_member(view, other, AT_cred_user_ns) &&
	       uring_view_member(view, one, AT_cred_group_info) == uring_view_member(view, other, AT_cred_group_info);
}

uint64_t uring_creds_own(struct uring_view *view)
{
	return uring_view_member(view, peek_current(view->peek), AT_task_struct_cred);
}

static void put_caps(struct uring_view *view, struct pool *pool, uint64_t creds, enum place at, size_t *ret_n,
		     uint32_t **ret)
{
	const uint64_t caps = uring_view_member(view, creds, at);

	*ret = pool_array(pool, uint32_t, 2);
	(*ret)[0] = (uint32_t)caps;
	(*ret)[1] = (uint32_t)(caps >> 32);
	*ret_n = 2;
}

static int put_groups(struct uring_view *view, struct pool *pool, uint64_t creds, CredsEntry *ret)
{
	const uint64_t info = uring_view_member(view, creds, AT_cred_group_info);
	const uint64_t n = uring_view_member(view, info, AT_group_info_ngroups);

	if (n > GROUPS_MAX)
		return refuse(EOPNOTSUPP, "the credentials of an io_uring are not as they are known");
	ret->n_groups = n;
	ret->groups = pool_array(pool, uint32_t, n + 1);
	uring_view_read(view, uring_view_place(view, info, AT_group_info_gid), ret->groups, n * sizeof(*ret->groups));
	return 0;
}

static void put_ids(struct uring_view *view, uint64_t creds, CredsEntry *ret)
{
	ret->uid = (uint32_t)uring_view_member(view, creds, AT_cred_uid);
	ret->euid = (uint32_t)uring_view_member(view, creds, AT_cred_euid);
	ret->suid = (uint32_t)uring_view_member(view, creds, AT_cred_suid);
	ret->fsuid = (uint32_t)uring_view_member(view, creds, AT_cred_fsuid);
	ret->gid = (uint32_t)uring_view_member(view, creds, AT_cred_gid);
	ret->egid = (uint32_t)uring_view_member(view, creds, AT_cred_egid);
	ret->sgid = (uint32_t)uring_view_member(view, creds, AT_cred_sgid);
	ret->fsgid = (uint32_t)uring_view_member(view, creds, AT_cred_fsgid);
	ret->secbits = (uint32_t)uring_view_member(view, creds, AT_cred_securebits);
}

int uring_creds_dump(const struct dump *d, struct uring_view *view, const struct task *task, uint64_t creds,
		     const char *whose, CredsEntry **ret)
{
	const uint64_t space = uring_view_member(view, creds, AT_cred_user_ns);
	CredsEntry *record = *ret = pool_new(d->pool, CredsEntry);

	if (space != uring_view_member(view, uring_creds_own(view), AT_cred_user_ns) ||
	    uring_view_member(view, space, AT_user_namespace_level))
		return refuse(EOPNOTSUPP,
			      "%s are of another user namespace than criu's, or that is not the first one: "
			      "that cannot be saved yet",
			      whose);
	TRY(confinement_check_same(d, task, whose));
	creds_entry__init(record);
	put_ids(view, creds, record);
	put_caps(view, d->pool, creds, AT_cred_cap_inheritable, &record->n_cap_inh, &record->cap_inh);
	put_caps(view, d->pool, creds, AT_cred_cap_permitted, &record->n_cap_prm, &record->cap_prm);
	put_caps(view, d->pool, creds, AT_cred_cap_effective, &record->n_cap_eff, &record->cap_eff);
	put_caps(view, d->pool, creds, AT_cred_cap_bset, &record->n_cap_bnd, &record->cap_bnd);
	put_caps(view, d->pool, creds, AT_cred_cap_ambient, &record->n_cap_amb, &record->cap_amb);
	TRY(put_groups(view, d->pool, creds, record));
	return view->error ? uring_view_give_up(view) : 0;
}
