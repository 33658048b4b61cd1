/* SPDX-License-Identifier: GPL-2.0-only */
/* Dump of FUSE file systems whose server is in the tree. */
#pragma once

struct dump;
struct mount;
struct superblock;

/* 1 if somebody of the tree serves it, 0 if not. Refuses what cannot be served again; */
int fuse_dump(const struct dump *d, struct mount *mount);
int fuse_save(struct dump *d, const struct superblock *super);
