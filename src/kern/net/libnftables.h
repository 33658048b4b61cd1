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
