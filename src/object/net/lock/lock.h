/* SPDX-License-Identifier: GPL-2.0-only */
/* What the two methods of the network lock share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/vector.h"

/* One connection as packets show it: v4-mapped addresses are IPv4. */
struct locked_connection {
	int family;
	char self[46], peer[46];
	uint16_t self_port, peer_port;
	bool inside; /* the other end is in the checkpoint as well */
};

struct connections {
	struct locked_connection *items;
	size_t n, capacity;
};

struct nft_ctx;

/* lock-nftables.c. The context owns the table if `owned`; nft_ctx_free() then removes it. */
int nftables_lock(struct nft_ctx **ctx, const char *table, bool owned, const struct locked_connection *items, size_t n);
/* A table that drops all packets but those with libsoccr's mark. The context owns it if `owned`, and the kernel
 * can do that. */
int nftables_cut_off(struct nft_ctx **ctx, const char *table, bool owned);
/* A table, owned by the context, that drops whoever is about to connect to one of these TCP ports, but those with
 * libsoccr's mark. -EIO, not logged: this kernel cannot do that. */
int nftables_close_ports(struct nft_ctx **ctx, const char *table, const uint16_t *ports, size_t n);
/* Removes the table that the context owns, if there is one, and the other one, if not NULL, at one moment. One that is
 * not there is as good. */
int nftables_unlock(struct nft_ctx **ctx, const char *owned, const char *table);
/* 1: the table is gone now; 0: there was none. */
int nftables_remove(struct nft_ctx **ctx, const char *table);
void nftables_done(struct nft_ctx **ctx);

/* lock-iptables.c */
bool iptables_is_there(void);
int iptables_lock(const struct connections *connections);
/* A chain that drops all packets but those with libsoccr's mark. */
int iptables_cut_off(void);
/* whole: that chain as well. Rules that are not there are as good: 0 if there were none at all, else 1. */
int iptables_unlock(const struct connections *connections, bool whole);
