/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore of mount namespaces. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct mount;
struct namespace;
struct restore;
struct superblock;

/* It is cloned from something outside, or from a part of it. */
bool mount_is_outside(const struct mount *mount);
/* Its options are paths, which are those of the namespace: it is made when its place is there. */
bool mount_is_late(const struct mount *mount);
/* Sets super->fd. In the namespaces that the file system is to be made in. */
int super_make(struct restore *r, struct superblock *super);
/* The namespaces of the root task that are not ours, of those that matter to file systems. */
uint32_t mount_namespaces_of_root(struct restore *r);
/* What its root is called in records of mounts: "/", or a cgroup. */
const char *super_root_path(struct restore *r, const struct superblock *super);

/* The first of the namespaces gets its turn: all are filled at once, as they may share mounts. */
int mount_restore_fill(struct restore *r, struct namespace *ns);
void mount_restore_clean(struct restore *r, struct namespace *ns);
/* All tasks are complete: what is read-only is so from now on. */
int mount_restore_settle(struct restore *r, struct namespace *ns);
