/* SPDX-License-Identifier: GPL-2.0-only */
/* criu page-server. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pages/peer.h"

struct listener;
struct meter;
struct options;

/*
 * Serves one client. Returns 0 when that went well, or in the background the pid of the server as soon as it listens.
 * The port, if it listens at one, through ret_port unless NULL.
 */
int page_server(const struct options *options, struct listener *listener, bool background, uint16_t *ret_port);

struct page_supply;

/* Gives pages to one client. Returns as page_server_supply(). The listener stays the caller's; -1: --ps-socket. */
int page_server_give(const struct options *options, int listener, struct page_supply *supply, struct meter *meter);

/* Where the options say that the other end is. */
struct peer_place page_server_place(const struct options *options);
