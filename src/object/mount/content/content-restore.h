/* SPDX-License-Identifier: GPL-2.0-only */
/* Fills a new file system of memory from tmpfs-dev-DEV.tar.gz.img. */
#pragma once

#include <sys/types.h>

struct mount;
struct restore;

int content_restore(struct restore *r, int root, const struct mount *mount);
/* Opens its archive, by a process that may read the images. */
int content_open_removed(struct restore *r, struct mount *mount);
/* make() is told its type (S_IF*), and returns a descriptor that can be written to. It is returned. */
int content_restore_removed(struct restore *r, struct mount *mount, int (*make)(void *arg, mode_t type), void *arg);
/* A name in an archive, below that root; no link is followed on the way. flags as for open(2), O_CLOEXEC is added. */
int content_open(int root, const char *name, int flags, int *ret_fd);
