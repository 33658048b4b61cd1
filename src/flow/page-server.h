/* SPDX-License-Identifier: GPL-2.0-only */
/* criu page-server. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pages/peer.h"

struct options;

/*
 * Serves one client. Returns 0 when that went well, or in the background the pid of the server as soon as it listens. The port, if it
 * listens at one, through ret_port unless NULL.
 */
int page_server(const struct options *options, bool background, uint16_t *ret_port);

/* Where the options say that the other end is. */
struct peer_place page_server_place(const struct options *options);
