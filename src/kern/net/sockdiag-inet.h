/* SPDX-License-Identifier: LGPL-2.1-only */
/* The tables of TCP, UDP, UDP-Lite and raw sockets. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct inet_diag;
struct netlink;
struct pool;
struct table;

/*
 * Ends TCP sockets that no descriptor refers to, in one of these states (bits: 1 << TCP_*): those on the port of
 * `like`, or, if it names a peer, between its two addresses. Returns how many. Before Linux 6.11 some stay.
 */
int sockdiag_end_unowned(struct netlink *netlink, const struct inet_diag *like, uint32_t states, bool only_count);
/* How many connections of Multipath TCP on the port of `like` no descriptor refers to: they wait for accept(2). */
int sockdiag_count_multipath(struct netlink *netlink, const struct inet_diag *like);
/* Has a connection of Multipath TCP sent what is not acknowledged yet? */
bool sockdiag_is_under_way(struct netlink *netlink);
/* Sockets without an inode number (TIME-WAIT, SYN-RECEIVED) are left out. */
int sockdiag_read_inet(struct netlink *netlink, struct pool *pool, uint32_t space, int family, int protocol,
		       struct table *by_ino);
/* Of TCP sockets only those that listen: that is much cheaper. */
int sockdiag_read_listeners(struct netlink *netlink, struct pool *pool, int family, struct table *by_ino);

/* One TCP socket by its two names, that of a listener's backlog as well. */
struct tcp_diag {
	uint8_t state;
	uint32_t rqueue; /* unread bytes */
	uint8_t options; /* TCPI_OPT_* */
	uint8_t snd_wscale, rcv_wscale;
};

/* 1, or 0 if there is none. */
int sockdiag_find_tcp(struct netlink *netlink, const struct inet_diag *name, struct tcp_diag *ret);
