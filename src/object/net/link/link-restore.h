/* SPDX-License-Identifier: GPL-2.0-only */
/* Network devices: what all kinds share when they are made again. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netdev.pb-c.h"

struct net_fill;
struct netlink;
struct netns_switch;
struct nlmsghdr;
struct restore;

/* At load. */
int net_link_check(const struct restore *r, const NetDeviceEntry *entry);
/* criu verify. */
int net_link_needs(const struct restore *r, const NetDeviceEntry *entry);
/* Makes them, down, with their own settings; then lets those run that did. */
int net_links_make(struct net_fill *fill);
int net_links_start(struct net_fill *fill);
/*
 * When addresses are there: new link-local ones may come by themselves again. has_own tells whether the device with
 * this index has had such an address.
 */
int net_links_finish(struct net_fill *fill, bool (*has_own)(const void *arg, uint32_t index), const void *arg);
/* Whether such bytes are whole attributes with these numbers only; sound ones fit into a request as well. */
bool link_attributes_are_whole(const ProtobufCBinaryData *data, const uint16_t *numbers);
bool link_attributes_are_sound(const ProtobufCBinaryData *data, const uint16_t *numbers);
/* Begins a request that makes the device: name, number, hardware address, queues. */
struct nlmsghdr *link_begin(void *capacity, const NetDeviceEntry *entry);
/* Adds the nest IFLA_LINKINFO with kind and data (of the record, or none). */
void link_put_info(struct nlmsghdr *request, const char *kind, const ProtobufCBinaryData *data);
/* Sends a request that makes the device; a failure is logged. */
int link_tell(struct net_fill *fill, const NetDeviceEntry *entry, struct nlmsghdr *request);
/* Changes into criu's own namespace, until netns_leave(), and opens a socket there. */
int link_enter_home(const struct net_fill *fill, struct netns_switch *entered, struct netlink **ret);
/* The device with this number, NULL if there is none. */
const NetDeviceEntry *link_find(NetDeviceEntry *const *devices, size_t n, uint32_t index);
bool link_is_there(struct net_fill *fill, uint32_t index);
