/* SPDX-License-Identifier: GPL-2.0-only */
/* A datagram that a socket holds back (UDP_CORK, MSG_MORE). */
#pragma once

#include "sk-inet.pb-c.h"

struct pool;

/* Takes what the socket holds back, and gives it back to it; after a restore it is written again. */
int udp_cork_dump(int fd, InetSkEntry *entry, struct pool *pool);
int udp_cork_check(const InetSkEntry *entry);
int udp_cork_write(int fd, const InetSkEntry *entry, const InetCorkedEntry *corked);
