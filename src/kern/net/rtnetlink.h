/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * rtnetlink(7): devices, addresses, routes, rules. All of it belongs to the network namespace of the thread that opened
 * the netlink socket. -errno is returned, nothing is logged.
 */
#pragma once

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

struct netlink;
struct nlattr;
struct pool;

#define RTNETLINK_CAPACITY   8192 /* of one request */
#define RTNETLINK_ATTRIBUTES 128  /* more than any message of ours has */

/* A network device. Everything lives in the pool. */
struct net_link {
	int index;
	uint16_t type;	/* ARPHRD_* */
	uint32_t flags; /* IFF_* */
	const char *name;
	const char *kind; /* "veth"; NULL: the kernel names none, as for the loopback device and for hardware */
	const struct nlattr *attribute[RTNETLINK_ATTRIBUTES]; /* IFLA_*, NULL: not there */
	const struct nlattr *data;			      /* IFLA_INFO_DATA */
	const char *slave_kind;				      /* of its master, NULL: none */
	const struct nlattr *slave_data;		      /* IFLA_INFO_SLAVE_DATA */
};

struct net_links {
	struct net_link *items;
	size_t n, capacity;
};

/* All devices, in the order of their numbers. The caller frees items with vector_done(). */
int rtnetlink_links(struct netlink *netlink, struct pool *pool, struct net_links *ret);

/* Attributes behind a header of size bytes into a table, or those nested in another. Numbers above its room are left
 * out. */
void rtnetlink_parse(const struct nlmsghdr *message, size_t size, const struct nlattr **table, size_t capacity);
void rtnetlink_parse_nested(const struct nlattr *nest, const struct nlattr **table, size_t capacity);

/*
 * A dump: request RTM_GET... with this header (struct rtmsg, ...). The messages that wanted() accepts (NULL: all) are
 * put one after another as they came, each at a multiple of 4. One that is disturbed meanwhile is asked for again.
 */
int rtnetlink_dump(struct netlink *netlink, uint16_t type, const void *header, size_t size,
		   bool (*wanted)(const struct nlmsghdr *), struct buffer *to);

/* Walks the messages of such a buffer; they must have been checked. */
#define rtnetlink_for_each(message, data, size)                                                                  \
	for (message = (const struct nlmsghdr *)(data); (const char *)(message) < (const char *)(data) + (size); \
	     message = (const struct nlmsghdr *)((const char *)(message) + NLMSG_ALIGN((message)->nlmsg_len)))

/* Whether a buffer holds nothing but whole messages of this type with at least this header and sound attributes. */
bool rtnetlink_is_sound(const void *data, size_t size, uint16_t type, size_t header);
/* The same of types that is_known() accepts, of any size. */
bool rtnetlink_are_sound(const void *data, size_t size, bool (*is_known)(uint16_t type), size_t header);

/* Whether one payload is such a header with sound attributes. */
bool rtnetlink_payload_is_sound(const void *data, size_t size, size_t header);

/* Begins a request in room (RTNETLINK_ROOM bytes, aligned), with NLM_F_REQUEST | NLM_F_ACK; the header is copied. */
struct nlmsghdr *rtnetlink_begin(void *capacity, uint16_t type, uint16_t flags, const void *header, size_t size);
/* Sends a request and waits for the acknowledgement. */
int rtnetlink_tell(struct netlink *netlink, struct nlmsghdr *request);
/* The number of a device, 0 if there is none of this name. */
int rtnetlink_index(struct netlink *netlink, const char *name);

/* The number by which the namespace of the socket knows another one, given as a descriptor; -1 if by none. */
int rtnetlink_nsid_get(struct netlink *netlink, int ns_fd, int *ret);
int rtnetlink_nsid_set(struct netlink *netlink, int ns_fd, int nsid);
