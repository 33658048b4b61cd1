/* SPDX-License-Identifier: GPL-2.0-only */
/* Mounts of files and directories that were removed since. */
#pragma once

#include <stdbool.h>

struct dump;
struct mount;
struct mount_set;
struct mount_space;
struct restore;

/* Mounts of what was removed. */
#define REMOVED "//deleted" /* behind the root of a mount in mountinfo */

void removed_find(struct mount_space *space);
/* The mount from outside that it is of; NULL: none, it is made anew. */
const struct mount *removed_find_above(const struct mount *mount);
int removed_dump(const struct dump *d, const struct mount *mount);
/* Another mount has its content. */
bool removed_is_saved_with(const struct mount_set *set, const struct mount *mount);
/* Sets mount->fd. root: of a mount of the file system that it was of, attached in the namespace that we are in; below:
 * its old path there. */
int removed_make(struct restore *r, struct mount *mount, int root, const char *below);
/* All are attached, or given up: their names go. */
void removed_done(struct mount_set *set);
