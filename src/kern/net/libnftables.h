/* SPDX-License-Identifier: LGPL-2.1-only */
/* The functions of libnftables, which is loaded when rules are read or set. */
#pragma once

#include <nftables/libnftables.h>

#include "base/symbols.h"

/* clang-format off */
#define LIBNFTABLES(X) \
	X(nft_ctx_buffer_error) X(nft_ctx_buffer_output) X(nft_ctx_free) X(nft_ctx_get_error_buffer) \
	X(nft_ctx_get_output_buffer) X(nft_ctx_new) X(nft_run_cmd_from_buffer)
/* clang-format on */

extern struct libnftables {
	LIBNFTABLES(LIBRARY_MEMBER)
} libnftables;

int libnftables_load(void);

/*
 * The library waits by select(2): a socket of its own with a number from 1024 on is its end, and ours (FD_SET(3)). So a
 * few low numbers are kept for it before there are many descriptors.
 */
void libnftables_keep_room(void);
/* A context of the library, which was loaded; NULL: there is none to be had. */
struct nft_ctx *libnftables_begin(void);
void libnftables_end(struct nft_ctx *ctx);
