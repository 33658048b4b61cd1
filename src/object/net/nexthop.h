/* SPDX-License-Identifier: GPL-2.0-only */
/* Nexthop objects of a network namespace (ip-nexthop(8)), by which routes go. */
#pragma once

#include "netdev.pb-c.h"

struct net_given;
struct netlink;
struct nlmsghdr;
struct pool;

int net_nexthops_dump(struct pool *pool, struct netlink *netlink, const struct net_given *given, NetnsEntry *entry);
int net_nexthops_check(const NetnsEntry *entry);
/* When addresses are there, and the routes to gateways. */
int net_nexthops_restore(struct netlink *netlink, const NetnsEntry *entry);
