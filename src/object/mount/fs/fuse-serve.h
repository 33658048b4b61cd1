/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore: in the place of the servers of FUSE file systems, until they run. */
#pragma once

struct restore;

/* The file systems are there; */
int fuse_serve_begin(struct restore *r);
/* all files are open and mapped, and nothing of ours has them: from now on everybody waits for the servers. */
int fuse_serve_end(struct restore *r);
