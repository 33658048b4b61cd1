/* SPDX-License-Identifier: GPL-2.0-only */
/* Cgroup file systems from outside that show only the cgroup of the tree. */
#pragma once

struct dump;
struct mount;
struct restore;

/* Of a mount that comes from outside: notes where its root is, as seen from the cgroup of the root task. */
int cgroup_fs_dump(const struct dump *d, const struct mount *mount);
/* fd is what the user has named by path; it becomes the cgroup that was seen there. */
int cgroup_fs_open(struct restore *r, const struct mount *mount, const char *path, int *fd);
