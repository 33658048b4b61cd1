/* SPDX-License-Identifier: GPL-2.0-only */
/* Ptys that are mounted upon another file. */
#pragma once

#include <stdbool.h>

struct dump;
struct mount;
struct mount_set;
struct restore;

/* A pty that is mounted upon another file. */
bool pty_is_mounted(const struct mount *mount);
/* The devpts that it belongs to is mounted as a whole somewhere. */
bool pty_has_devpts(const struct mount_set *set, const struct mount *mount);
/* Dump, all files are known: names what will not be as it was. */
void pty_dump_warn(struct dump *d, const struct mount *mount);
/* Restore: the devpts are in place, the ptys are made there; */
int pty_make_all(struct restore *r);
/* and in a process of our own: sets mount->fd. The master is to be closed when it is attached; -1: there is none. */
int pty_clone(struct mount_set *set, struct mount *mount, int *ret_master);
