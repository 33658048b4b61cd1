/* SPDX-License-Identifier: GPL-2.0-only */
/* Fills the backlog of a TCP socket that listens. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sk-inet.pb-c.h"

struct pool;
struct tcp_waiting_socket;

struct tcp_requeue {
	struct pool *pool;
	const InetSkEntry *listener;
	int fd; /* of the listener, with its late options */
	const struct tcp_waiting_socket **waiting;
	size_t n;
};

/* In the network namespace of the listener, which nothing else must reach meanwhile. */
int tcp_requeue(const struct tcp_requeue *what);
/* What is in the way of it in this network namespace; NULL: nothing. */
const char *tcp_requeue_obstacle(void);
/* net.ipv4.tcp_timestamps of this network namespace */
uint32_t tcp_read_timestamps(void);
