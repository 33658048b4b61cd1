/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore of FUSE file systems whose server is in the tree. */
#pragma once

struct restore;
struct superblock;

/* The record; */
int fuse_load(const struct restore *r, struct superblock *super);
/* sets super->fd and super->server. In the namespaces of the root task. Whoever walks into it waits for its server. */
int fuse_make(struct restore *r, struct superblock *super);
