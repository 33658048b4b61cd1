/* SPDX-License-Identifier: GPL-2.0-only */
/* The page server while it gives pages: to whoever restores lazily, as they are asked for. */
#pragma once

#include <stdint.h>

struct meter;
struct peer;

/* Pages that somebody may ask for. */
struct page_supply {
	/*
	 * Up to nr_pages pages of process pid from address start on, which all fit into `to`. Returns how many these
	 * are, at least 1; -ENOENT (logged) if the first one is none of those that are offered.
	 */
	int64_t (*read)(struct page_supply *supply, uint64_t pid, uint64_t start, uint64_t nr_pages, void *to);
};

/*
 * Gives pages to a client that asks for them, until it says that it needs no more. Returns 1 then, 0 if it ends without
 * a word, or a failure.
 */
int page_server_supply(struct peer *peer, struct page_supply *supply, struct meter *meter);
