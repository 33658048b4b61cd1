/* SPDX-License-Identifier: GPL-2.0-only */
/* Formats of executables that were registered in a binfmt_misc of the tree's own. */
#pragma once

struct dump;
struct mount;
struct restore;
struct superblock;

int binfmt_save(struct dump *d, const struct superblock *super);
/* For namespace_run(), in the mount namespace of the mount, when all is mounted: registers them. */
int binfmt_restore(struct restore *r, const struct mount *mount);
