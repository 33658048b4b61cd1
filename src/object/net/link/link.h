/* SPDX-License-Identifier: GPL-2.0-only */
/* Network devices: one struct link_kind per kind, in link-*.c; the list is link_kinds of src/object/meson.build. */
#pragma once

#include "base/vector.h"
#include "kern/net/netns.h"
#include "kern/net/rtnetlink.h"
#include "netdev.pb-c.h"
#include "session/session.h"

struct netlink;

struct net_devices {
	NetDeviceEntry **items;
	size_t n, capacity;
};

/* Numbers of the devices that somebody else gives again: --empty-ns net. */
struct net_given {
	uint32_t *numbers;
	size_t n;
};

/* How a namespace knows another one of the tree. */
struct net_peer {
	uint32_t id; /* in the images */
	int nsid;    /* rtnetlink's number for it in this namespace */
};

/* A namespace that is dumped; the calling thread is in it. */
struct net_view {
	const struct dump *d;
	struct netlink *netlink;
	uint32_t id;
	const struct net_peer *peers;
	size_t n_peers;
	const struct net_given *given;
};

/* A namespace that is filled; the calling thread is in it. */
struct net_fill {
	struct restore *r;
	struct netlink *netlink;
	uint32_t id;
	int fd, home_fd; /* this namespace, criu's own */
	NetDeviceEntry **devices;
	size_t n_devices;
};

struct link_kind {
	const char *name;			     /* for messages */
	const char *kind;			     /* the kernel's word; NULL: is() alone decides */
	NdType type;				     /* in the images */
	bool (*is)(const struct net_link *link);     /* NULL: all of that word */
	bool (*claims)(const NetDeviceEntry *entry); /* the same for records; NULL: all of that type */
	int (*dump)(struct net_view *view, const struct net_link *link,
		    NetDeviceEntry *entry);				    /* what is its own; may be NULL */
	int (*check)(const struct restore *r, const NetDeviceEntry *entry); /* at load; may be NULL */
	int (*needs)(const struct restore *r, const NetDeviceEntry *entry); /* criu verify; may be NULL */
	/*
	 * Makes it, with name and number. -ENODEV, unlogged: a device that it stands on is not there yet. NULL, or if a
	 * device of that name and kind is there: the kernel makes it itself.
	 */
	int (*make)(struct net_fill *fill, const NetDeviceEntry *entry);
	/* All devices are there, as ports of their masters, and still down; may be NULL. */
	int (*finish)(struct net_fill *fill, const NetDeviceEntry *entry);
};

extern const struct link_kind
	*const link_kinds[]; /* generated from src/object/meson.build, NULL-terminated; in matching order */

/* --- the core --- */

/* All devices of the namespace that nobody else gives, or only those of a kind; refuses those that cannot be saved. */
int net_links_dump(struct net_view *view, const struct link_kind *only, struct net_devices *to);

/* Of any device that the user has made; the other two are in every namespace by themselves. */
extern const struct link_kind link_given_kind, link_loopback_kind, link_fallback_kind;

bool net_is_given(const struct net_given *given, uint32_t number);
/* NULL: none that is known. */
const struct link_kind *net_link_kind(const struct net_link *link);

/* --- helpers of kinds --- */

/* What can be set of a port of a bridge (link-bridge.c), of a bond (link-bond.c). 0 ends it. */
extern const uint16_t link_port_settings[], link_bond_port_settings[];

/* Attributes of a nest whose numbers are in the list (0 ends it), as bytes. */
void link_keep_attributes(struct pool *pool, const struct nlattr *nest, const uint16_t *numbers,
			  protobuf_c_boolean *has, ProtobufCBinaryData *to);
/* One of these, or NULL. */
const struct nlattr *link_kept_attribute(const ProtobufCBinaryData *data, uint16_t number);
/* The value of --external WORD[NAME]:VALUE, NULL if not given; lasts as long as the options. */
const char *link_external(const struct options *options, const char *word, const char *name);
