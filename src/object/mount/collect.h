/* SPDX-License-Identifier: GPL-2.0-only */
/* Dump of a mount namespace: what is mounted there, and how can each mount be made again? */
#pragma once

struct dump;
struct mount;
struct mount_space;
struct namespace;
struct proc_mount;

/* Refuses the mount, and tells the ways out. */
int mount_refuse(const struct mount *mount, const char *why);

/* A mount that mountinfo does not tell, for its space; NULL: there is one with its id. It is linked, then collected. */
struct mount *collect_add(const struct dump *d, struct mount_space *space, const struct proc_mount *seen);
int collect_one(const struct dump *d, struct mount *mount);

/* A phase of struct namespace_kind. */
int mount_dump_collect(const struct dump *d, struct namespace *ns);
/* When the mounts of all namespaces are known. */
int mount_dump_finish(const struct dump *d);
