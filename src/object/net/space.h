/* SPDX-License-Identifier: GPL-2.0-only */
/* A network namespace of the tree, with all that is in it: what net.c keeps at ns->data. */
#pragma once

#include "object/namespace/namespace.h"
#include "object/net/address.h"
#include "object/net/conntrack.h"
#include "object/net/firewall.h"
#include "object/net/link.h"

struct net_space {
	NetnsEntry *entry;
	const char *key; /* external: its name for --inherit-fd, else NULL */
	bool empty;	 /* made without content: --empty-ns */
	struct net_devices devices;
	struct net_tables tables;
	struct net_rules rules;
	struct net_tracks tracks;
};

/* A descriptor of a namespace that is dumped. -errno, logged. */
int network_open(const struct dump *d, const struct namespace *ns);
