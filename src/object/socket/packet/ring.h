/* SPDX-License-Identifier: GPL-2.0-only */
/* What is in the rings of a packet socket. */
#pragma once

#include "packet-sock.pb-c.h"

struct pool;

/* Content and position of the ring that receives, as far as it can be seen; into the record. */
int packet_ring_dump(int fd, PacketSockEntry *entry, struct pool *pool);
int packet_ring_check(const PacketSockEntry *entry);
/* fd has its rings and gets no packets yet. */
int packet_ring_restore(int fd, const PacketSockEntry *entry);
