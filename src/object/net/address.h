/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Addresses, routes, rules and neighbours of a network namespace. Their images hold what the kernel said, behind a word
 * of their own: the form in which ip(8) saves and restores them. The calling thread is in the namespace.
 */
#pragma once

#include "netdev.pb-c.h"
#include "session/session.h"

struct netlink;

/* Messages of the kernel, one after another. */
struct net_messages {
	const void *data;
	size_t size;
};

struct net_tables {
	struct net_messages addresses, routes, routes6, rules;
};

struct net_given;

/* ifaddr, route, route6 and rule of namespace id; the neighbours to the entry. Not what is of given devices. */
int net_tables_dump(struct dump *d, struct netlink *netlink, uint32_t id, const struct net_given *given,
		    NetnsEntry *entry);
