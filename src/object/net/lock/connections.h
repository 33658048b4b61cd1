/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections as the rules of the network lock name them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sk-inet.pb-c.h"

/* One connection as packets show it: v4-mapped addresses are IPv4. */
struct locked_connection {
	int family; /* 4, 6 */
	char self[46], peer[46];
	uint16_t self_port, peer_port;
	bool inside; /* the other end is in the checkpoint as well: connections_count_outside() */
};

struct connections {
	struct locked_connection *items;
	size_t n, capacity;
};

void connections_add(struct connections *connections, const InetSkEntry *entry);
/* Those whose other end is elsewhere. */
size_t connections_count_outside(struct connections *connections);
/* The own address of one of those that the network namespace of this thread still has; NULL: it has none. */
const char *connections_find_local(struct connections *connections);
