/* SPDX-License-Identifier: GPL-2.0-only */
/* Credentials that the kernel keeps for an io_uring and its requests. */
#include "object/memory/uring/uring-creds.h"

#include <string.h>

#include "object/memory/uring/uring-view.h"

#define SIZE_MAX_OF_CREDS 256

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
