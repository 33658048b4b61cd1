/* SPDX-License-Identifier: GPL-2.0-only */
/* Multicast groups of internet sockets. */
#pragma once

#include "sk-inet.pb-c.h"

struct multicast_groups;
struct pool;

/* Those of the network namespace that the calling thread is in. */
struct multicast_groups *multicast_read(struct pool *pool);
void multicast_dump(const struct multicast_groups *groups, int fd, InetSkEntry *entry, struct pool *pool);
int multicast_check(const InetSkEntry *entry);
int multicast_restore(const InetSkEntry *entry, int fd);
