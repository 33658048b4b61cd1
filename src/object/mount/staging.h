/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore: the staging namespace, one of ours where file systems hang while mounts of them are cloned. */
#pragma once

struct mount;
struct restore;

/* Makes a mount namespace for the calling process, and there all mounts that can be cloned. */
int staging_clone_mounts(struct restore *r);
/* Sets mount->fd. "below" is a path in what is mounted at "from", in the namespace that we are in. */
int staging_clone_part(int from, struct mount *mount, const char *below);
