/* SPDX-License-Identifier: GPL-2.0-only */
/* Propagation: peer groups ("shared") and their slaves. All mounts are private at first. The member of a group with the
 * widest root is made the first one, the others join it by MOVE_MOUNT_SET_GROUP (5.15). Masters before their slaves; a
 * group may have members in several namespaces. */
#pragma once

#include <stdbool.h>

struct mount;
struct mount_set;
struct pool;

/* Refuses groups that cannot be made again; notes those that need a mount of the whole file system. */
int sharing_check(struct mount_set *set, struct pool *pool);
/* Restore: these mounts, while the file systems are attached. */
int sharing_prepare(const struct mount_set *set);
void sharing_done(struct mount_set *set);
/* Restore: its peers or its master are outside. */
bool sharing_is_outside(const struct mount_set *set, const struct mount *mount);
/* In a process that has entered the namespaces, when all is at its place: makes them. */
int sharing_make(struct mount_set *set);
