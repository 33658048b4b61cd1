/* SPDX-License-Identifier: LGPL-2.1-only */
/* The map of owners of a mount (an idmapped mount): statmount(2) tells it since Linux 6.15. */
#pragma once

struct pool;

/* Lines as in /proc/PID/uid_map, as the user namespace of the caller sees them. mnt_id: of a mount in the namespace of
 * the caller. -ENOENT: it has none; -EOPNOTSUPP: this kernel does not tell. Not logged. */
int idmap_read(int mnt_id, struct pool *pool, char **ret_users, char **ret_groups);
/* mount: attached nowhere, and without a map. */
int idmap_write(int mount, int user_ns);
