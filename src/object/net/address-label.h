/* SPDX-License-Identifier: GPL-2.0-only */
/* Labels of IPv6 addresses (ip-addrlabel(8)): which one of several addresses a connection takes. */
#pragma once

#include "netdev.pb-c.h"

struct dump;
struct net_given;
struct netlink;

int net_address_labels_collect(const struct dump *d, struct netlink *netlink, const struct net_given *given,
			       NetnsEntry *entry);
int net_address_labels_check(const NetnsEntry *entry);
int net_address_labels_restore(struct netlink *netlink, const NetnsEntry *entry);
