/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mount namespaces: what is mounted where, mountpoints-*.img. Tasks in the mount namespace of criu have none.
 *
 * Dump: each namespace is looked at from its root (mountinfo), and every mount gets a source from which it can be made again: the root
 * that --root gives, a key that the user gives (external), another mount of the same file system, or a file system that is made anew,
 * if it is a tmpfs with its content from the images.
 * Restore: all mounts are made first, attached nowhere; then each namespace is put together from its root on; then come propagation and
 * flags. Nothing of this happens in the namespace of criu, so nothing is left there after a failure.
 */
#pragma once

#include "session/session.h"

struct namespace;

/* --- dump --- */

/* The moments of struct namespace_kind. */
int mount_dump_collect(struct dump *d, struct namespace *ns);
int mount_dump_write(struct dump *d, struct namespace *ns);
void mount_dump_clean(struct dump *d);
/* The root directory (O_PATH, ours, not to be closed) of the mount namespace of a task; -1 if it is that of criu. */
int mount_dump_root(const struct dump *d, const struct task *task);

/* --- restore --- */

int mount_restore_load(struct restore *r, struct namespace *ns);
int mount_restore_needs(struct restore *r, struct namespace *ns);
/* The first of the namespaces gets its turn: all are filled at once, as they may share mounts. */
int mount_restore_fill(struct restore *r, struct namespace *ns);
void mount_restore_clean(struct restore *r, struct namespace *ns);
/* The root directory (O_PATH, ours, not to be closed) of the namespace that a path of the images belongs to: that of the mount, or if it is
   unknown (0 or less) that of the root task. -1: that of criu. */
int mount_restore_root(const struct restore *r, int mnt_id);
