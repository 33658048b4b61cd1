/* SPDX-License-Identifier: GPL-2.0-only */
/* Visits to the network namespaces of the tree, by their ids; which of them a socket belongs to. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct namespace_set;
struct restore;
struct net_devices;
struct dump;
struct namespace;

/* Restore: the namespace was not made by us: --join-ns, or an external one. */
bool network_has_lasted(const struct namespace *ns);

/* NULL: the tree has none with this id. */
struct namespace *network_find(const struct namespace_set *set, uint32_t id);
/* Another namespace of the tree: a descriptor of it, and its devices. -ENOENT, unlogged, if the tree has none with this
 * id. */
int network_find_devices(struct restore *r, uint32_t id, int *ret_fd, const struct net_devices **ret);
