/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections that the firewall of a network namespace keeps track of. The calling thread is in the namespace. */
#pragma once

#include "session/session.h"

struct net_tracks {
	void *connections, *expectations; /* messages, one after another */
	size_t connections_size, expectations_size;
};

/* netns-ct and netns-exp of namespace id; no file if there is nothing. */
int net_conntrack_dump(struct dump *d, uint32_t id);
int net_conntrack_load(const struct restore *r, uint32_t id, struct net_tracks *to);
int net_conntrack_restore(const struct net_tracks *tracks);
