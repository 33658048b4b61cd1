/* SPDX-License-Identifier: GPL-2.0-only */
/* The tree of mounts of each namespace. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mnt.pb-c.h"
#include "session/state.h"

struct dump;
struct mount;
struct mount_set;
struct mount_space;
struct pool;
struct restore;

/* Of a session; NULL: no task has a mount namespace of its own. */
extern const struct state_type mount_state;

struct mount_set *dump_mounts(const struct dump *d);
struct mount_set *restore_mounts(const struct restore *r);

struct mount_space *space_add(struct mount_set *set, struct pool *pool, uint32_t id);
struct mount_space *space_find(const struct mount_set *set, uint32_t id);
/* Adds a mount; links nothing. */
struct mount *mount_add(struct mount_set *set, struct mount_space *space, struct pool *pool, MntEntry *entry);
void mount_add_child(struct mount *parent, struct mount *child);
/* Finds parents and the root, and sorts children so that none hides the place of another that follows. what: for
 * messages. */
int space_link(struct mount_set *set, struct mount_space *space, const char *what);
/* When it is known which mounts come from outside: the file systems of the others. */
void mount_count_super(struct mount_set *set, struct mount *mount, struct pool *pool);
void space_count_supers(struct mount_set *set, struct mount_space *space, struct pool *pool);
/* The path of "path" below "above", both absolute: "" if they are the same, "a/b"; NULL if it lies elsewhere. */
const char *path_below(const char *path, const char *above);
/* Where it is mounted, seen from the root of the mount it is on. NULL if that does not fit together. */
const char *mount_relative_point(const struct mount *mount);
/* Parents before children, in the order in which they can be attached:
   for (struct mount *m = space->root; m; m = mount_next(m)) */
struct mount *mount_next(const struct mount *mount);
bool mount_is_external(const struct mount *mount);
/* The external mount of which this one shows a part, in the same namespace or in an earlier one, where it may be the
   root; NULL if there is none. */
const struct mount *mount_find_external_above(const struct mount *mount);
/* A mount in an earlier namespace that shows the same or more of its file system, which is made there; NULL if there is
   none. */
const struct mount *mount_find_made_elsewhere(const struct mount *mount);
/* It shows a part of what the root of its namespace shows. */
bool mount_is_of_root(const struct mount *mount);
/* It is that one, or mounted somewhere upon it. */
bool mount_hangs_on(const struct mount *mount, const struct mount *above);
/* "mount 71 on /sys" */
const char *mount_name(const struct mount *mount, char to[96]);

/* Restore: all mounts of all namespaces. */
#define for_each_mount(m, set)                          \
	for (size_t i_ = 0; i_ < (set)->spaces.n; i_++) \
		for ((m) = (set)->spaces.items[i_]->root; (m); (m) = mount_next(m))
