/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The socket tables of the kernel (sock_diag(7)): what cannot be asked on a descriptor. All of them belong to one
 * network namespace, that of the thread that opened the netlink socket. A family whose diag module is missing in the
 * kernel gives an empty table, never an error: callers have to live without it. -errno is returned, nothing is logged.
 */
#pragma once

#include <linux/if_packet.h>
#include <linux/inet_diag.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netlink;
struct pool;
struct table;

struct unix_diag {
	uint32_t ino;
	uint32_t space;			      /* what the caller has said of the netlink */
	uint32_t send_buffer, receive_buffer; /* 0: not told */
	uint8_t type, state;		      /* SOCK_*, TCP_* */
	uint8_t shutdown;		      /* bits: 1 = read, 2 = write */
	bool has_peer;
	uint32_t peer;		     /* inode; 0 with has_peer: closed, or not accepted yet */
	uint32_t rqueue;	     /* unread bytes; of a listener: connections waiting */
	uint32_t wqueue;	     /* bytes the peer has not read; of a listener: its backlog */
	uint32_t file_ino, file_dev; /* of the socket file, 0 = none; dev as in struct unix_diag_vfs */
	const uint32_t *waiting;     /* of a listener: inodes of those that wait for accept(2), in order */
	unsigned n_waiting;
	const uint8_t *name; /* as in sun_path, abstract ones begin with NUL */
	size_t name_size;
};

struct inet_diag {
	uint32_t ino;
	uint32_t space; /* as above */
	uint32_t send_buffer, receive_buffer;
	uint32_t ifindex; /* that it is bound to */
	bool has_mark, has_class, has_options;
	uint32_t mark, class; /* class: that of its cgroup (net_cls), or else its priority */
	struct inet_diag_sockopt options;
	uint8_t family, protocol, state;
	uint8_t shutdown;
	bool is_signed;		     /* it has keys (TCP_MD5SIG); shown to root only */
	uint32_t rqueue, wqueue;     /* of a listener: connections waiting, backlog */
	uint16_t src_port, dst_port; /* host order */
	uint32_t src[4], dst[4];     /* network order; IPv4 uses one word */
};

struct packet_diag {
	uint32_t ino;
	uint8_t type;
	uint16_t protocol; /* host order */
	uint32_t ifindex, version, reserve, copy_threshold, timestamp;
	bool aux_data, orig_dev, vnet_hdr, loss;
	bool has_fanout;
	uint32_t fanout; /* as for PACKET_FANOUT: id, type and flags << 16 */
	struct packet_membership {
		uint32_t ifindex, count;
		uint16_t type, size;
		uint8_t address[32];
	} * members;
	unsigned n_members;
	bool has_rx, has_tx;
	struct tpacket_req3 rx, tx;
};

struct netlink_diag {
	uint32_t ino;
	uint8_t protocol, state;
	uint32_t portid, dst_portid, dst_group;
	const uint32_t *groups; /* bit mask, group 1 is bit 0 */
	unsigned n_groups;	/* words */
	uint32_t rmem;		/* bytes waiting */
};

/*
 * Each reads a whole table; structs are in the pool, by_ino finds them by inode number.
 * space is written into each. by_waiting finds a listener by the inode of a client that waits in its backlog.
 */
int sockdiag_read_unix(struct netlink *netlink, struct pool *pool, uint32_t space, struct table *by_ino,
		       struct table *by_waiting);
int sockdiag_read_packet(struct netlink *netlink, struct pool *pool, struct table *by_ino);
int sockdiag_read_netlink(struct netlink *netlink, struct pool *pool, struct table *by_ino);
