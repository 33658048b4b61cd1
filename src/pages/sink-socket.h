/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages to a page server. */
#pragma once

struct page_sink;
struct peer;
struct peer_place;

/* Connects to a page server; all pages of a dump go there. */
int page_sink_to_server(const struct peer_place *place, struct page_sink **ret);

/* Tells the server that it was all and hears that all is safe. */
int page_client_end(struct peer *peer);
