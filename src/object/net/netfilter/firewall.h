/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rules of a network namespace. nftables is saved and loaded as text by its library; tables that iptables-nft has
 * made in it are in that text too, for others, but loaded as messages of the kernel (iptables-nft.h). Tables of the
 * legacy iptables are only known to its own programs: they are run if there are such tables, and not otherwise. The
 * calling thread is in the namespace.
 */
#pragma once

#include "base/buffer.h"
#include "session/session.h"

struct namespace;

struct net_rules {
	char *nftables, *iptables, *ip6tables; /* texts; NULL or empty: none */
	struct buffer iptables_nft;	       /* messages, of the pool */
};

/* Refuses what cannot be saved, or tells it as lost if it may be left, and all with it (ret_left). Changes nothing. */
int net_firewall_collect(const struct dump *d, bool may_leave, bool *ret_left);
/* nftables, iptables and ip6tables of namespace id. */
int net_firewall_dump(struct dump *d, uint32_t id);

int net_firewall_load(const struct restore *r, uint32_t id, struct net_rules *to);
/* beside: somebody else has put rules there as well, which stay. */
int net_firewall_restore(struct restore *r, const struct namespace *ns, const struct net_rules *rules, bool beside);

/* Removes the rules of network locks from a text of nftables or of iptables: tables "inet CRIU-...", chains "CRIU" and
 * the jumps there. */
void net_firewall_drop_locks(char *text);
/* Tables that belong to a socket ("flags owner") would go with the socket of whoever makes them again: they belong to
 * nobody then. How many there were. */
size_t net_firewall_disown(char *text);
/* Removes from a text of nftables what is there now: the rules of chains that are no base chains, and equal ones. */
void net_firewall_drop_known(char *text, const char *now);
