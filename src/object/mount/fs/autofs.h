/* SPDX-License-Identifier: GPL-2.0-only */
/* Dump of the mounts of automounters. */
#pragma once

struct dump;
struct mount;
struct superblock;

/* Mounts of automounters of the tree. Dump: refuses one that nobody of the tree serves; */
int autofs_dump(const struct dump *d, struct mount *mount);
int autofs_save(struct dump *d, const struct superblock *super);
