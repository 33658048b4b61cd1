/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables that iptables-nft (or its brothers for IPv6, ARP and bridges) has made in nftables. Their rules have
 * extensions of iptables, of which nft(8) tells a translation that iptables does not take for its own. So they are kept
 * as messages of the kernel, as they came: tables, chains, flowtables, objects, sets with their elements, rules. The
 * calling thread is in the namespace.
 */
#pragma once

#include "base/buffer.h"
#include "session/session.h"

/* All of them. Changes nothing. */
int net_iptables_nft_read(struct buffer *to);
/* Refuses what cannot be had back, or tells it as lost if it may be left (1). What is lost of the rest is told. */
int net_iptables_nft_check(const struct dump *d, const struct buffer *messages, bool may_leave);
int net_iptables_nft_dump(struct dump *d, uint32_t id);
/* Nothing: there are none. */
int net_iptables_nft_load(const struct restore *r, uint32_t id, struct buffer *ret);
