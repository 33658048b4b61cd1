/* SPDX-License-Identifier: GPL-2.0-only */
/* A page server seen from who sends pages to it, or asks it for pages. */
#pragma once

#include <stdint.h>

#include "pages/peer.h"
#include "pages/sink.h"

/* Connects to a page server; all pages of a dump go there. */
int page_sink_to_server(const struct peer_place *place, struct page_sink **ret);

/* Tells the server that it was all and hears that all is safe. */
int page_client_end(struct peer *peer);
