/* SPDX-License-Identifier: LGPL-2.1-only */
/* Link-local IPv6 addresses that the kernel has made out of a secret of their device. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct ifaddrmsg;
struct in6_addr;
struct netlink;
struct nlmsghdr;

/* Of a message RTM_NEWADDR, in which it points. */
struct marked_address {
	const struct ifaddrmsg *header;
	const struct in6_addr *address;
	uint32_t flags; /* IFA_F_* */
};

/* false: not of IPv6, or without an address. */
bool marked_address_read(const struct nlmsghdr *message, struct marked_address *ret);
/* Others with that mark are made out of what a router announces. */
bool marked_address_is_of_secret(const struct marked_address *marked);
/* Whether the secret of a device can be read. The thread is in its network namespace. */
bool stable_address_has_secret(const char *device);
/*
 * Lets the kernel make this address of a device that runs, has its secret and makes no addresses (mode
 * IN6_ADDR_GEN_MODE_NONE, which it has afterwards again); mode: how it was made. false: it has not come.
 */
bool stable_address_make(struct netlink *netlink, const char *device, uint32_t mode,
			 const struct marked_address *wanted);
