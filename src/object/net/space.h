/* SPDX-License-Identifier: GPL-2.0-only */
/* A network namespace of the tree, with all that is in it: what net.c keeps at ns->data. */
#pragma once

#include "object/net/address.h"
#include "object/net/netfilter/conntrack.h"
#include "object/net/netfilter/firewall.h"
#include "object/net/link/link.h"

struct net_space {
	NetnsEntry *entry;
	const char *key; /* external: its name for --inherit-fd, else NULL */
	bool empty;	 /* made almost without content: --empty-ns, left-out.c */
	bool furnished;	 /* somebody else furnishes it, but it has devices that the tree made itself: left-out.c */
	bool rules_left; /* dump: furnished, and its rules cannot be saved */
	struct net_given given;
	struct net_devices devices;
	struct net_tables tables;
	struct net_rules rules;
	struct net_tracks tracks;
};
