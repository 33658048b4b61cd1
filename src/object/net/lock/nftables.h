/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules of the network lock in nftables, through its library. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct locked_connection;
struct nft_ctx;

/* The context owns the table if `owned`; nft_ctx_free() then removes it. */
int nftables_lock(struct nft_ctx **ctx, const char *table, bool owned, const struct locked_connection *items, size_t n);
/* A table that drops all packets but those with libsoccr's mark. The context owns it if `owned`, and the kernel
 * can do that. */
int nftables_cut_off(struct nft_ctx **ctx, const char *table, bool owned);
/* A table, owned by the context, that drops whoever is about to connect to one of these TCP ports, or all of their
 * packets, but those with libsoccr's mark. -EIO, not logged: this kernel cannot do that. */
int nftables_close_ports(struct nft_ctx **ctx, const char *table, const uint16_t *ports, size_t n, bool all);
/* Removes the table that the context owns, if there is one, and the other one, if not NULL, at one moment. One that is
 * not there is as good. */
int nftables_unlock(struct nft_ctx **ctx, const char *owned, const char *table);
/* 1: the table is gone now; 0: there was none. */
int nftables_remove(struct nft_ctx **ctx, const char *table);
void nftables_done(struct nft_ctx **ctx);
