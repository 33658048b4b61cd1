/* SPDX-License-Identifier: GPL-2.0-only */
/* Idmapped mounts: files on them have other owners than in their file system. The map is given by a user namespace,
 * which is made for that moment only. */
#pragma once

struct dump;
struct mount;
struct restore;

/* Mounts on which files have other owners. Dump: reads the map; refuses one that cannot be made again. */
int idmap_dump(const struct dump *d, struct mount *mount);
int idmap_check(const struct dump *d, const struct mount *mount);
int idmap_check_content(const struct mount *mount);
/* Restore: what is mounted there in our namespace has a map already; the mount gets its own. */
int idmap_has(struct restore *r, int fd);
int idmap_restore(struct restore *r, const struct mount *mount);
