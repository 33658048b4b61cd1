/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore: where mounts come from that are not made anew. All in the mount namespace of criu. */
#pragma once

#include <stdbool.h>

struct mount;
struct restore;

/* Restore: a descriptor (O_PATH) of what a mount shows that comes from outside, in our own namespace; the
 * caller closes it. */
int outside_open(struct restore *r, const struct mount *mount, int *ret_fd);
/* That lies below other mounts of ours; */
bool outside_is_covered(const struct mount *mount);
/* for namespace_run(): the calling process gets a copy of our namespace in which those are taken off. */
int outside_uncover(struct restore *r, const struct mount *covered);
