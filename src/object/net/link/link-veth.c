/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * veth: a pair of devices; what goes into one comes out of the other. The other end may be in the same namespace, in
 * another one of the tree, or outside: in criu's own namespace it gets the name and the bridge that it had, unless
 * whoever restores names others: --external veth[IN]:OUT[@BRIDGE].
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "kern/net/netlink.h"
#include "kern/net/netns.h"
#include "object/namespace/namespace.h"
#include "object/net/link/link-restore.h"
#include "object/net/link/link.h"
#include "object/net/switch.h"
#include "session/needs.h"

/* --- dump --- */

static const struct net_link *find_link(const struct net_links *links, uint32_t index)
{
	for (size_t i = 0; i < links->n; i++)
		if ((uint32_t)links->items[i].index == index)
			return &links->items[i];
	return NULL;
}

/* Who restores may name another one. */
static int note_outside(struct net_view *view, int home, NetDeviceEntry *entry)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	AUTO(netlink_close) struct netlink *netlink = NULL;
	struct net_links links = { 0 };
	const struct net_link *peer, *master;
	int error = netns_enter(&entered, home);

	if (error == 0)
		error = netlink_open(NETLINK_ROUTE, &netlink);
	if (error == 0)
		error = rtnetlink_links(netlink, view->d->pool, &links);
	if (error < 0)
		return fail(-error, "looking at the other end of %s", entry->name);
	peer = find_link(&links, entry->peer_ifindex);
	master = peer && peer->attribute[IFLA_MASTER]
			 ? find_link(&links, mnl_attr_get_u32(peer->attribute[IFLA_MASTER]))
			 : NULL;
	entry->peer_name = peer ? pool_string(view->d->pool, peer->name) : NULL;
	if (master && master->kind && strcmp(master->kind, "bridge") == 0)
		entry->peer_bridge = pool_string(view->d->pool, master->name);
	vector_done(&links);
	return 0;
}

static int dump_veth(struct net_view *view, const struct net_link *link, NetDeviceEntry *entry)
{
	const struct namespace *ns;
	int nsid = -1;

	if (entry->has_peer_nsid || !link->attribute[IFLA_LINK_NETNSID])
		return 0;
	for_each_namespace(ns, dump_namespaces(view->d))
		if (ns->kind->flag == CLONE_NEWNET && ns->own && ns->fd >= 0 &&
		    rtnetlink_nsid_get(view->netlink, ns->fd, &nsid) == 0 && nsid >= 0 &&
		    (uint32_t)nsid == mnl_attr_get_u32(link->attribute[IFLA_LINK_NETNSID]))
			return note_outside(view, ns->fd, entry);
	return 0;
}

/* --- restore --- */

/* Where the other end is to be. */
struct other_end {
	const NetDeviceEntry *entry; /* in the tree; NULL: outside */
	int ns_fd;		     /* -1: in the same namespace */
	char name[IFNAMSIZ], bridge[IFNAMSIZ];
	bool noted; /* they are those that it had */
};

/* "OUT" or "OUT@BRIDGE". False if it is neither. */
static bool parse_outside(const char *text, struct other_end *to)
{
	const char *at = strchr(text, '@');
	size_t size = at ? (size_t)(at - text) : strlen(text);

	if (!size || size >= IFNAMSIZ || (at && (!at[1] || strlen(at + 1) >= IFNAMSIZ)))
		return false;
	memcpy(to->name, text, size);
	if (at)
		strcpy(to->bridge, at + 1);
	return true;
}

static int find_outside(const struct restore *r, const NetDeviceEntry *entry, struct other_end *to)
{
	const char *outside = link_external(r->options, "veth", entry->name);

	if (outside && !*outside)
		outside = NULL; /* it is only named, to be kept */
	if (!outside && entry->peer_name && strlen(entry->peer_name) < IFNAMSIZ &&
	    (!entry->peer_bridge || strlen(entry->peer_bridge) < IFNAMSIZ)) {
		strcpy(to->name, entry->peer_name);
		strcpy(to->bridge, entry->peer_bridge ?: "");
		to->noted = true;
		return 0;
	}
	if (!outside)
		return need_given(r, NEED_OPTION, pool_printf(r->pool, "--external veth[%s]:OUT[@BRIDGE]", entry->name),
				  pool_printf(r->pool, "names the other end of %s", entry->name),
				  pool_printf(r->pool,
					      "its other end was outside: name it with --external veth[%s]:OUT or "
					      "veth[%s]:OUT@BRIDGE",
					      entry->name, entry->name));
	if (!parse_outside(outside, to))
		return refuse(EINVAL, "--external veth[%s]:%s is not of the form OUT or OUT@BRIDGE", entry->name,
			      outside);
	return 0;
}

static int refuse_bridge(const NetDeviceEntry *entry, const struct other_end *end)
{
	return refuse(ENXIO, "there is no bridge %s; another one is named by --external veth[%s]:%s@BRIDGE",
		      end->bridge, entry->name, end->name);
}

static bool is_inside(const NetDeviceEntry *entry)
{
	return entry->has_peer_ifindex && entry->has_peer_nsid;
}

static int check_veth(const struct restore *r, const NetDeviceEntry *entry)
{
	struct other_end end = { .ns_fd = -1 };

	return is_inside(entry) ? 0 : find_outside(r, entry, &end);
}

/* In criu's own namespace, where the other end comes to be. */
static int need_veth(const struct restore *r, const NetDeviceEntry *entry)
{
	struct other_end end = { .ns_fd = -1 };

	if (is_inside(entry))
		return 0;
	TRY(find_outside(r, entry, &end));
	if (end.name[0] && if_nametoindex(end.name))
		return refuse(
			EEXIST,
			"there is a network device %s here, as the other end of %s would be called: remove it, or "
			"name that end by --external veth[%s]:OUT",
			end.name, entry->name, entry->name);
	return end.bridge[0] && !if_nametoindex(end.bridge) ? refuse_bridge(entry, &end) : 0;
}

static int find_inside(struct net_fill *fill, const NetDeviceEntry *entry, struct other_end *to)
{
	const struct net_devices *devices;
	int error;

	if (entry->peer_nsid == fill->id) {
		to->entry = link_find(fill->devices, fill->n_devices, entry->peer_ifindex);
	} else {
		error = network_find_devices(fill->r, entry->peer_nsid, &to->ns_fd, &devices);
		if (error != -ENOENT)
			TRY(error);
		to->entry = error == 0 ? link_find(devices->items, devices->n, entry->peer_ifindex) : NULL;
	}
	if (!to->entry || to->entry == entry || to->entry->type != ND_TYPE__VETH)
		return refuse(EINVAL, "the images have no device %u in namespace %u, which is to be its other end",
			      entry->peer_ifindex, entry->peer_nsid);
	return 0;
}

static void put_peer(struct nlmsghdr *request, const struct other_end *end)
{
	const struct ifinfomsg header = { .ifi_family = AF_UNSPEC,
					  .ifi_index = end->entry ? (int)end->entry->ifindex : 0 };
	struct nlattr *peer = mnl_attr_nest_start(request, VETH_INFO_PEER);

	memcpy(mnl_nlmsg_put_extra_header(request, sizeof(header)), &header, sizeof(header));
	mnl_attr_put_strz(request, IFLA_IFNAME, end->entry ? end->entry->name : end->name);
	if (end->entry && end->entry->has_address)
		mnl_attr_put(request, IFLA_ADDRESS, end->entry->address.len, end->entry->address.data);
	if (end->entry && end->entry->tx_queues && end->entry->rx_queues) {
		mnl_attr_put_u32(request, IFLA_NUM_TX_QUEUES, end->entry->tx_queues);
		mnl_attr_put_u32(request, IFLA_NUM_RX_QUEUES, end->entry->rx_queues);
	}
	if (end->ns_fd >= 0)
		mnl_attr_put_u32(request, IFLA_NET_NS_FD, (uint32_t)end->ns_fd);
	mnl_attr_nest_end(request, peer);
}

static int make_pair(struct net_fill *fill, const NetDeviceEntry *entry, const struct other_end *end)
{
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	struct nlmsghdr *request = link_begin(capacity, entry);
	struct nlattr *info = mnl_attr_nest_start(request, IFLA_LINKINFO), *data;

	mnl_attr_put_strz(request, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(request, IFLA_INFO_DATA);
	put_peer(request, end);
	mnl_attr_nest_end(request, data);
	mnl_attr_nest_end(request, info);
	return link_tell(fill, entry, request);
}

/* The end outside becomes a port of the bridge, if there is one, and runs. */
static int join_bridge(struct net_fill *fill, const NetDeviceEntry *entry, const struct other_end *end)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	AUTO(netlink_close) struct netlink *netlink = NULL;
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	struct nlmsghdr *request;
	int master, error;

	TRY(link_enter_home(fill, &entered, &netlink));
	master = end->bridge[0] ? rtnetlink_index(netlink, end->bridge) : 0;
	if (end->bridge[0] && !master)
		return refuse_bridge(entry, end);
	header.ifi_index = rtnetlink_index(netlink, end->name);
	request = rtnetlink_begin(capacity, RTM_NEWLINK, 0, &header, sizeof(header));
	if (master)
		mnl_attr_put_u32(request, IFLA_MASTER, (uint32_t)master);
	error = rtnetlink_tell(netlink, request);
	return error < 0 ? fail(-error, "switching %s on%s%s", end->name, master ? ", as a port of bridge " : "",
				end->bridge)
			 : 0;
}

static int make_veth(struct net_fill *fill, const NetDeviceEntry *entry)
{
	struct other_end end = { .ns_fd = -1 };

	if (is_inside(entry)) {
		TRY(find_inside(fill, entry, &end));
		return make_pair(fill, entry, &end);
	}
	TRY(find_outside(fill->r, entry, &end));
	end.ns_fd = fill->home_fd;
	log_info("The other end of %s will be %s", entry->name, end.name);
	TRY(make_pair(fill, entry, &end));
	return end.bridge[0] || end.noted ? join_bridge(fill, entry, &end) : 0;
}

const struct link_kind link_veth_kind = {
	.name = "veth",
	.kind = "veth",
	.type = ND_TYPE__VETH,
	.dump = dump_veth,
	.check = check_veth,
	.needs = need_veth,
	.make = make_veth,
};
