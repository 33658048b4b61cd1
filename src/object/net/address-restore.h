/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses, routes, rules, neighbours: from their images to the kernel. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "netdev.pb-c.h"

struct net_tables;
struct netlink;
struct pool;
struct restore;

/* Reads and checks the images. */
int net_tables_load(const struct restore *r, uint32_t id, const NetnsEntry *entry, struct net_tables *to);
/* Whether there is a link-local IPv6 address of this device; tables: struct net_tables. */
bool net_tables_has_link_local(const void *tables, uint32_t index);
/* All devices run, without addresses but those that came by themselves. */
int net_tables_restore(struct pool *pool, struct netlink *netlink, const struct net_tables *tables,
		       const NetnsEntry *entry);
