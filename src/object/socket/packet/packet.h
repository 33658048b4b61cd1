/* SPDX-License-Identifier: GPL-2.0-only */
/* Packet sockets: what packet.c and packet-ring.c share. */
#pragma once

#include "base/pool.h"
#include "packet-sock.pb-c.h"

/* Content and position of the ring that receives, as far as it can be seen; into the record. */
int packet_ring_dump(int fd, PacketSockEntry *entry, struct pool *pool);
int packet_ring_check(const PacketSockEntry *entry);
/* fd has its rings and gets no packets yet. */
int packet_ring_restore(int fd, const PacketSockEntry *entry);
