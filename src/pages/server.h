/* SPDX-License-Identifier: GPL-2.0-only */
/* The page server: what it does with one client. */
#pragma once

#include <stdint.h>

#include "pages/peer.h"

struct meter;
struct store;

/*
 * Takes pages and writes them to images (pagemap and pages, numbered from PAGE_SERVER_FIRST_ID) until the client says
 * that it was all. Whatever a client sends, nothing but images is made of it. Returns 0 if it was all.
 */
#define PAGE_SERVER_FIRST_ID 0x10001
bool page_server_is_greeting(uint32_t word);
int page_server_receive(struct peer *peer, struct store *store, struct meter *meter);
