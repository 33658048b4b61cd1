/* SPDX-License-Identifier: GPL-2.0-only */
/* Dump of a mount namespace. */
#pragma once

struct dump;
struct mount;
struct namespace;

/* A descriptor of its root, where nothing is mounted upon it; the caller closes it. */
int mount_reveal(const struct dump *d, const struct mount *mount, int *ret);
/* Refuses what is pinned in a BPF file system and cannot be saved. */
int pins_check(const struct dump *d, const struct mount *mount);

int mount_dump_write(struct dump *d, struct namespace *ns);
