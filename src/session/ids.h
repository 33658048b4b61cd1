/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A tree that lives in a user namespace of its own has other user and group ids than those that we see (d->facts->ids,
 * r->facts->ids: the maps of that namespace; NULL: there is none). Images hold what the tree sees, and so do steps that
 * a task runs. What the kernel tells us, and what we tell it, are our ids.
 *
 * An id that the tree cannot see has no number in there: NO_ID, which chown(2) and setresuid(2) leave as it is.
 */
#pragma once

#include "session/session.h"

struct id_extent {
	uint32_t inner, outer, count;
};

struct id_map {
	const struct id_extent *items;
	size_t n;
};

struct id_maps {
	struct id_map users, groups;
	bool setgroups_denied; /* nobody in there may call setgroups(2) */
	bool given;	       /* restore: the namespace is there already (--join-ns), and so are its maps */
	bool chosen;	       /* restore: tasks are these, until they get their own ids */
	uint32_t uid, gid;
};

#define NO_ID ((uint32_t)-1)

/* What the kernel shows instead of an id that has no number: /proc/sys/kernel/overflowuid, which nobody changes. */
#define OVERFLOW_ID 65534u

uint32_t dump_inner_uid(const struct dump *d, uint32_t outer);
uint32_t dump_inner_gid(const struct dump *d, uint32_t outer);
uint32_t restore_outer_uid(const struct restore *r, uint32_t inner);
uint32_t restore_outer_gid(const struct restore *r, uint32_t inner);

/*
 * File systems that belong to the user namespace take no files of users that it does not show: until the end of the
 * restore, this thread makes files as the first user there (setfsuid(2)). To be called again after setresuid(2).
 */
void restore_make_files_begin(const struct restore *r);
void restore_make_files_end(const struct restore *r);
/* Who owns what this thread makes. */
uint32_t restore_maker_uid(const struct restore *r);
uint32_t restore_maker_gid(const struct restore *r);

/* The effective ids, as they see them, of tasks that are being restored, until they get their own. */
uint32_t restore_task_uid(const struct restore *r);
uint32_t restore_task_gid(const struct restore *r);
