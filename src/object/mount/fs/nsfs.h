/* SPDX-License-Identifier: GPL-2.0-only */
/* Namespace files that are mounted somewhere, as `ip netns add` does. */
#pragma once

#include <stdbool.h>

struct dump;
struct mount;
struct proc_mount;
struct restore;

/* Bound namespace files. */
bool nsfs_is(const struct proc_mount *seen);
/* ret_why: it cannot be saved, unlogged; else NULL. */
int nsfs_dump(const struct dump *d, struct mount *mount, const char **ret_why);
int nsfs_load(const struct restore *r, struct mount *mount);
int nsfs_clone(struct restore *r, struct mount *mount);
