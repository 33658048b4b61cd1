/* SPDX-License-Identifier: GPL-2.0-only */
/* Devices that are made of what the kernel tells of them. The format knows none of these kinds: for others they are
 * EXTLINK. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <string.h>

#include "base/fail.h"
#include "base/pool.h"
#include "object/net/link.h"

static const uint16_t none[] = { 0 };
static const uint16_t vlan[] = { IFLA_VLAN_ID,		IFLA_VLAN_FLAGS,    IFLA_VLAN_EGRESS_QOS,
				 IFLA_VLAN_INGRESS_QOS, IFLA_VLAN_PROTOCOL, 0 };
static const uint16_t ipvlan[] = { IFLA_IPVLAN_MODE, IFLA_IPVLAN_FLAGS, 0 };

static const struct plain {
	const char *kind;
	const uint16_t *data; /* attributes of IFLA_INFO_DATA, all of which can be set */
	bool stands;	      /* on another device (IFLA_LINK) */
} plains[] = {
	{ "dummy", none, false },
	{ "ifb", none, false },
	{ "vlan", vlan, true },
	{ "ipvlan", ipvlan, true },
};

static const struct plain *find_plain(const char *kind)
{
	for (size_t i = 0; kind && i < sizeof(plains) / sizeof(plains[0]); i++)
		if (!strcmp(plains[i].kind, kind))
			return &plains[i];
	return NULL;
}

static bool is_plain(const struct net_link *link)
{
	return find_plain(link->kind);
}

static bool claims_plain(const NetDeviceEntry *entry)
{
	return find_plain(entry->kind);
}

static int dump_plain(struct net_view *view, const struct net_link *link, NetDeviceEntry *entry)
{
	const struct plain *plain = find_plain(link->kind);

	entry->kind = pool_string(view->d->pool, link->kind);
	if (plain->stands && (!entry->has_peer_nsid || entry->peer_nsid != view->id))
		return refuse(ENOTSUP,
			      "network device %s (%s) stands on a device of another namespace: that can't be saved yet",
			      link->name, link->kind);
	link_keep_attributes(view->d->pool, link->data, plain->data, &entry->has_data, &entry->data);
	return 0;
}

static int check_plain(struct restore *r, const NetDeviceEntry *entry)
{
	if (entry->has_data && !link_attributes_are_sound(&entry->data, find_plain(entry->kind)->data))
		return refuse(EINVAL, "its settings make no sense");
	return 0;
}

static int make_plain(struct net_fill *fill, const NetDeviceEntry *entry)
{
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	struct nlmsghdr *request = link_begin(capacity, entry);

	if (find_plain(entry->kind)->stands) {
		if (!link_is_there(fill, entry->peer_ifindex))
			return -ENODEV;
		mnl_attr_put_u32(request, IFLA_LINK, entry->peer_ifindex);
	}
	link_put_info(request, entry->kind, &entry->data);
	return link_tell(fill, entry, request);
}

const struct link_kind link_plain_kind = {
	.name = "plain device",
	.type = ND_TYPE__EXTLINK,
	.is = is_plain,
	.claims = claims_plain,
	.dump = dump_plain,
	.check = check_plain,
	.make = make_plain,
};
