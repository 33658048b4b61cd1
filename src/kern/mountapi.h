/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Mounts by descriptors: open_tree(2), move_mount(2), mount_setattr(2), fsopen(2); Linux 5.15. All return -errno and
 * log nothing, but for what a header line says.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A mount of its own, attached nowhere, of what the path leads to, without what is mounted below; no link is followed
   at its end. "" is dir itself. It must be mounted in the namespace of the caller. */
int mountapi_clone(int dir, const char *path);
/* The same with all that is mounted below. */
int mountapi_clone_all(int dir);
/* Mounts a mount that is attached nowhere; "" is dir itself. */
int mountapi_attach(int mount, int dir, const char *path);
/* MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, the three of access times, MS_NOSYMFOLLOW: those and no others from now
 * on. */
int mountapi_set_flags(int mount, unsigned long flags);
/* MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE. */
int mountapi_set_propagation(int mount, unsigned long type);
/* "to" gets the peer group and the master of "from"; its root must not lie outside of that of "from" (5.15). */
int mountapi_set_group(int from, int to);

/*
 * Makes the superblock of a context of fsopen(2), or finds it if there is but one, and a mount of it that is attached
 * nowhere. options: "mode=755,size=64k", as in /proc/PID/mountinfo with its escapes. A failure is logged with what the
 * kernel says of it.
 */
int mountapi_make(int context, const char *source, const char *options, unsigned long super_flags);
/* From now on nobody writes to the superblock. */
int mountapi_make_readonly(int mount);

/* No mount of the namespace of the caller hears of those in other namespaces, or tells of its own, from now on. */
int mountapi_make_all_private(void);
