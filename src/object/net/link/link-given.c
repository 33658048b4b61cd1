/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices that can only be given: hardware, and kinds that only a plugin knows. --external netdev[IN]:OUT moves the
 * device OUT of criu's own namespace in; without that option a plugin or a script has put it there.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <net/if.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/pool.h"
#include "kern/net/netlink.h"
#include "kern/net/netns.h"
#include "object/net/link/link-restore.h"
#include "object/net/link/link.h"

static bool is_nothing(const struct net_link *link)
{
	return false; /* the core chooses this kind */
}

static bool claims_given(const NetDeviceEntry *entry)
{
	return !entry->kind;
}

static int move_in(struct net_fill *fill, const NetDeviceEntry *entry, const char *outside)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	AUTO(netlink_close) struct netlink *netlink = NULL;
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	struct nlmsghdr *request;
	int error;

	TRY(link_enter_home(fill, &entered, &netlink));
	header.ifi_index = rtnetlink_index(netlink, outside);
	if (!header.ifi_index)
		return refuse(ENODEV, "there is no device %s to be moved in", outside);
	request = rtnetlink_begin(capacity, RTM_NEWLINK, 0, &header, sizeof(header));
	mnl_attr_put_strz(request, IFLA_IFNAME, entry->name);
	mnl_attr_put_u32(request, IFLA_NET_NS_FD, (uint32_t)fill->fd);
	mnl_attr_put_u32(request, IFLA_NEW_IFINDEX, entry->ifindex);
	error = rtnetlink_tell(netlink, request);
	return error < 0 ? fail(-error, "moving device %s in", outside) : 0;
}

static int make_given(struct net_fill *fill, const NetDeviceEntry *entry)
{
	const char *outside = link_external(fill->r->options, "netdev", entry->name);

	if (outside && outside[0])
		return move_in(fill, entry, outside);
	return refuse(ENODEV, "it cannot be made, only given: --external netdev[%s]:DEVICE", entry->name);
}

const struct link_kind link_given_kind = {
	.name = "given device",
	.type = ND_TYPE__EXTLINK,
	.is = is_nothing,
	.claims = claims_given,
	.make = make_given,
};
