/* SPDX-License-Identifier: GPL-2.0-only */
/* macvlan: a device with an address of its own on another device, which is in the same namespace or is named at
 * restore. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <net/if.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/pool.h"
#include "kern/net/netlink.h"
#include "kern/net/netns.h"
#include "object/net/link/link-restore.h"
#include "object/net/link/link.h"
#include "session/needs.h"

static int dump_macvlan(struct net_view *view, const struct net_link *link, NetDeviceEntry *entry)
{
	const struct nlattr *data[RTNETLINK_ATTRIBUTES] = { 0 };

	rtnetlink_parse_nested(link->data, data, RTNETLINK_ATTRIBUTES);
	if (!data[IFLA_MACVLAN_MODE])
		return refuse(EOPNOTSUPP, "the kernel does not tell the mode of macvlan device %s", link->name);
	if (mnl_attr_get_u32(data[IFLA_MACVLAN_MODE]) == MACVLAN_MODE_SOURCE)
		return refuse(EOPNOTSUPP, "macvlan device %s is in source mode, which cannot be saved yet", link->name);
	entry->macvlan = pool_new(view->d->pool, MacvlanLinkEntry);
	macvlan_link_entry__init(entry->macvlan);
	entry->macvlan->mode = mnl_attr_get_u32(data[IFLA_MACVLAN_MODE]);
	entry->macvlan->has_flags = data[IFLA_MACVLAN_FLAGS] != NULL;
	if (data[IFLA_MACVLAN_FLAGS])
		entry->macvlan->flags = mnl_attr_get_u16(data[IFLA_MACVLAN_FLAGS]);
	return 0;
}

static bool stands_inside(const NetDeviceEntry *entry, uint32_t id)
{
	return entry->has_peer_ifindex && entry->has_peer_nsid && entry->peer_nsid == id &&
	       entry->peer_ifindex != entry->ifindex;
}

static int check_macvlan(const struct restore *r, const NetDeviceEntry *entry)
{
	const char *outside = link_external(r->options, "macvlan", entry->name);

	if (!entry->macvlan)
		return refuse(EINVAL, "the record of its mode is missing");
	if (entry->has_peer_nsid || (outside && outside[0]))
		return 0;
	return need_given(r, NEED_OPTION, pool_printf(r->pool, "--external macvlan[%s]:DEVICE", entry->name),
			  pool_printf(r->pool, "names the device that %s stands on", entry->name),
			  pool_printf(r->pool,
				      "it stands on a device outside: name it with --external macvlan[%s]:DEVICE",
				      entry->name));
}

static void put_mode(struct nlmsghdr *request, const MacvlanLinkEntry *entry)
{
	struct nlattr *info = mnl_attr_nest_start(request, IFLA_LINKINFO), *data;

	mnl_attr_put_strz(request, IFLA_INFO_KIND, "macvlan");
	data = mnl_attr_nest_start(request, IFLA_INFO_DATA);
	mnl_attr_put_u32(request, IFLA_MACVLAN_MODE, entry->mode);
	if (entry->has_flags)
		mnl_attr_put_u16(request, IFLA_MACVLAN_FLAGS, (uint16_t)entry->flags);
	mnl_attr_nest_end(request, data);
	mnl_attr_nest_end(request, info);
}

/* The number of a device of criu's own namespace. */
static int find_outside(struct net_fill *fill, const char *name, int *ret)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	AUTO(netlink_close) struct netlink *netlink = NULL;

	TRY(link_enter_home(fill, &entered, &netlink));
	*ret = rtnetlink_index(netlink, name);
	return *ret ? 0 : refuse(ENODEV, "there is no device %s for it to stand on", name);
}

/* The lower device is told by its number there, and by the number that criu's own namespace has in this one. */
static int make_outside(struct net_fill *fill, const NetDeviceEntry *entry, const char *lower)
{
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	struct nlmsghdr *request = link_begin(capacity, entry);
	int index = 0, nsid, error;

	TRY(find_outside(fill, lower, &index));
	error = rtnetlink_nsid_get(fill->netlink, fill->home_fd, &nsid);
	if (error == 0 && nsid < 0) {
		error = rtnetlink_nsid_set(fill->netlink, fill->home_fd, -1); /* any */
		if (error == 0)
			error = rtnetlink_nsid_get(fill->netlink, fill->home_fd, &nsid);
	}
	if (error < 0)
		return fail(-error, "giving criu's own network namespace a number");
	mnl_attr_put_u32(request, IFLA_LINK, (uint32_t)index);
	mnl_attr_put_u32(request, IFLA_LINK_NETNSID, (uint32_t)nsid);
	put_mode(request, entry->macvlan);
	return link_tell(fill, entry, request);
}

static int make_macvlan(struct net_fill *fill, const NetDeviceEntry *entry)
{
	const char *outside = link_external(fill->r->options, "macvlan", entry->name);
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	struct nlmsghdr *request = link_begin(capacity, entry);

	if (outside && outside[0])
		return make_outside(fill, entry, outside);
	if (!stands_inside(entry, fill->id))
		return refuse(EOPNOTSUPP,
			      "it stands on a device of another namespace of the tree, which cannot be restored yet");
	if (!link_is_there(fill, entry->peer_ifindex))
		return -ENODEV;
	mnl_attr_put_u32(request, IFLA_LINK, entry->peer_ifindex);
	put_mode(request, entry->macvlan);
	return link_tell(fill, entry, request);
}

const struct link_kind link_macvlan_kind = {
	.name = "macvlan",
	.kind = "macvlan",
	.type = ND_TYPE__MACVLAN,
	.dump = dump_macvlan,
	.check = check_macvlan,
	.make = make_macvlan,
};
