/* SPDX-License-Identifier: GPL-2.0-only */
/* Unread datagrams of UDP. */
#pragma once

#include "sk-inet.pb-c.h"

struct dump;

/* Datagrams that were not read. Those that cannot be kept are lost with a warning. restore: right after
 * bind(2). */
int udp_queue_dump(struct dump *d, int fd, InetSkEntry *entry);
int udp_queue_check(const InetSkEntry *entry);
int udp_queue_restore(int fd, const InetSkEntry *entry);
