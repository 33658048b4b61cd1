/* SPDX-License-Identifier: GPL-2.0-only */
/* The page server: what it does with one client. */
#pragma once

#include <stdint.h>

#include "image/store.h"
#include "pages/peer.h"

/*
 * Takes pages and writes them to images (pagemap and pages, numbered from PAGE_SERVER_FIRST_ID) until the client says
 * that it was all. Whatever a client sends, nothing but images is made of it. Returns 0 if it was all.
 */
#define PAGE_SERVER_FIRST_ID 0x10001
bool page_server_is_greeting(uint32_t word);
int page_server_receive(struct peer *peer, struct store *store);

/* Pages that somebody may ask for. */
struct page_supply {
	/*
	 * Up to nr_pages pages of process pid from address start on, which all fit into `to`. Returns how many these
	 * are, at least 1; -ENOENT (logged) if the first one is none of those that are offered.
	 */
	int64_t (*read)(struct page_supply *supply, uint64_t pid, uint64_t start, uint64_t nr_pages, void *to);
};

/* Those of the processes in the store, which must live longer. */
struct page_supply *page_supply_of_images(struct store *store);
void page_supply_of_images_destroy(struct page_supply **supply); /* accepts NULL; for AUTO() */

/*
 * Gives pages to a client that asks for them, until it says that it needs no more. Returns 1 then, 0 if it ends without
 * a word, or a failure.
 */
int page_server_supply(struct peer *peer, struct page_supply *supply);
