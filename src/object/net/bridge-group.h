/* SPDX-License-Identifier: GPL-2.0-only */
/* Multicast groups that were given to ports of bridges (bridge mdb). */
#pragma once

#include "netdev.pb-c.h"

struct net_view;
struct netlink;

int net_bridge_groups_collect(const struct net_view *view, NetnsEntry *entry);
int net_bridge_groups_check(const NetnsEntry *entry);
/* When devices run. */
int net_bridge_groups_restore(struct netlink *netlink, const NetnsEntry *entry);
