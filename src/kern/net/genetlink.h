/* SPDX-License-Identifier: LGPL-2.1-only */
/* Generic netlink: requests to families of the kernel that are found by their names. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct netlink;
struct nlmsghdr;

#define GENETLINK_CAPACITY 512 /* of a request whose attributes are small */

/* The number of a family; -ENOENT: the kernel has none of this name, and no module that brings it. Logs nothing. */
int genetlink_find(struct netlink *netlink, const char *name, uint16_t *ret);
/* The same, but loads no module. */
int genetlink_find_loaded(struct netlink *netlink, const char *name, uint16_t *ret);
/* Begins a request in this room, which is aligned; flags beside NLM_F_REQUEST. */
struct nlmsghdr *genetlink_begin(void *capacity, uint16_t family, uint8_t command, uint8_t version, uint16_t flags);
