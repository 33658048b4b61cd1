/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * WireGuard: keys, peers and settings are asked of the kernel and given again; what the peers have agreed upon is not
 * told. They agree anew: at once when this end sends, within 15 seconds (KEEPALIVE_TIMEOUT and REKEY_TIMEOUT of the
 * kernel) when the other one does. The packets go through the namespace in which the device was made, wherever it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/pool.h"
#include "base/vector.h"
#include "kern/net/genetlink.h"
#include "kern/net/netlink.h"
#include "object/net/link/link-restore.h"
#include "object/net/link/link.h"
#include "session/loss.h"

#define PEER_MAX (64 * 1024 - 512) /* an attribute has 16 bits for its size */

static const uint16_t device_settings[] = { WGDEVICE_A_PRIVATE_KEY, WGDEVICE_A_LISTEN_PORT, WGDEVICE_A_FWMARK, 0 };
static const uint16_t peer_settings[] = { WGPEER_A_PUBLIC_KEY, WGPEER_A_PRESHARED_KEY,
					  WGPEER_A_ENDPOINT,   WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL,
					  WGPEER_A_ALLOWEDIPS, 0 };

static bool claims_wireguard(const NetDeviceEntry *entry)
{
	return entry->kind && !strcmp(entry->kind, WG_GENL_NAME);
}

/* --- dump --- */

struct wireguard_reading {
	struct pool *pool;
	struct buffer device;
	VECTOR(ProtobufCBinaryData) peers;
};

/* One with many addresses goes on in the next message, where only its key is said again. */
static void take_peers(struct wireguard_reading *reading, const struct nlattr *peers)
{
	const struct nlattr *peer;

	mnl_attr_for_each_nested(peer, peers)
	{
		ProtobufCBinaryData settings = { 0 };
		protobuf_c_boolean has = false;

		link_keep_attributes(reading->pool, peer, peer_settings, &has, &settings);
		if (has)
			*vector_push(&reading->peers) = settings;
	}
}

static int take_device(void *arg, const struct nlmsghdr *message)
{
	struct wireguard_reading *reading = arg;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr))
	{
		uint16_t type = mnl_attr_get_type(attr);

		if (type == WGDEVICE_A_PEERS)
			take_peers(reading, attr);
		if (type == WGDEVICE_A_PRIVATE_KEY || type == WGDEVICE_A_LISTEN_PORT || type == WGDEVICE_A_FWMARK)
			memcpy(buffer_extend(&reading->device, MNL_ALIGN(attr->nla_len)), attr, attr->nla_len);
	}
	return 0;
}

static int read_device(uint32_t index, struct wireguard_reading *reading)
{
	char buffer[GENETLINK_CAPACITY] __attribute__((aligned(8)));
	AUTO(netlink_close) struct netlink *netlink = NULL;
	struct nlmsghdr *request;
	uint16_t family;
	int error = netlink_open(NETLINK_GENERIC, &netlink);

	if (error < 0 || (error = genetlink_find(netlink, WG_GENL_NAME, &family)) < 0)
		return error;
	do {
		reading->peers.n = 0;
		reading->device.size = 0;
		request = genetlink_begin(buffer, family, WG_CMD_GET_DEVICE, WG_GENL_VERSION, NLM_F_DUMP);
		mnl_attr_put_u32(request, WGDEVICE_A_IFINDEX, index);
		error = netlink_ask(netlink, request, take_device, reading);
	} while (error == -EINTR);
	return error;
}

/* Its socket is the kernel's own, in the namespace in which it was made. */
static bool is_port_taken(unsigned wanted)
{
	char *list = NULL, *line, *rest;
	unsigned address, port;
	bool found = false;

	if (file_read_all(AT_FDCWD, "/proc/thread-self/net/udp", &list, NULL) < 0)
		return false;
	for (rest = list; !found && (line = strsep(&rest, "\n"));)
		found = sscanf(line, "%*u: %x:%x", &address, &port) == 2 && !address && port == wanted;
	free(list);
	return found;
}

/* Nobody tells where it was made. What it has opened there while it is up does. */
static int check_origin(const struct net_view *view, const struct net_link *link, const ProtobufCBinaryData *device)
{
	const struct nlattr *port = link_kept_attribute(device, WGDEVICE_A_LISTEN_PORT);

	if (!(link->flags & IFF_UP)) {
		dump_report_loss(view->d,
				 "network device %s (wireguard) is down, so nobody can tell in which namespace it was "
				 "made: it will send through its own",
				 link->name);
		return 0;
	}
	if (port && is_port_taken(mnl_attr_get_u16(port)))
		return 0;
	return refuse(EOPNOTSUPP,
		      "network device %s (wireguard) was made in another network namespace, and sends through that: "
		      "this cannot be saved; give it at the restore: dump and restore with --external "
		      "netdev[%s]:NAME",
		      link->name, link->name);
}

static int dump_wireguard(struct net_view *view, const struct net_link *link, NetDeviceEntry *entry)
{
	WireguardEntry *record = entry->wireguard = pool_new(view->d->pool, WireguardEntry);
	struct wireguard_reading reading = { .pool = view->d->pool };
	int error = read_device((uint32_t)link->index, &reading);

	wireguard_entry__init(record);
	entry->kind = pool_string(view->d->pool, WG_GENL_NAME);
	record->has_device = true;
	record->device.len = reading.device.size;
	record->device.data = pool_copy(view->d->pool, reading.device.data, reading.device.size);
	record->n_peers = reading.peers.n;
	record->peers = pool_copy(view->d->pool, reading.peers.items, reading.peers.n * sizeof(*reading.peers.items));
	buffer_done(&reading.device);
	vector_done(&reading.peers);
	if (error < 0)
		return fail(-error, "asking for keys and peers of network device %s (wg show)", link->name);
	return check_origin(view, link, &record->device);
}

/* --- restore --- */

static int check_wireguard(const struct restore *r, const NetDeviceEntry *entry)
{
	const WireguardEntry *record = entry->wireguard;

	if (!record || !link_attributes_are_sound(&record->device, device_settings))
		return refuse(EINVAL, "its settings make no sense");
	for (size_t i = 0; i < record->n_peers; i++)
		if (record->peers[i].len > PEER_MAX || !link_attributes_are_whole(&record->peers[i], peer_settings))
			return refuse(EINVAL, "its peer %zu makes no sense", i);
	return 0;
}

static int add_peer(struct netlink *netlink, uint16_t family, uint32_t index, const ProtobufCBinaryData *peer)
{
	AUTO_FREE char *capacity = xzalloc(GENETLINK_CAPACITY + peer->len);
	struct nlmsghdr *request = genetlink_begin(capacity, family, WG_CMD_SET_DEVICE, WG_GENL_VERSION, NLM_F_ACK);
	struct nlattr *peers;

	mnl_attr_put_u32(request, WGDEVICE_A_IFINDEX, index);
	peers = mnl_attr_nest_start(request, WGDEVICE_A_PEERS);
	mnl_attr_put(request, NLA_F_NESTED, peer->len, peer->data);
	mnl_attr_nest_end(request, peers);
	return netlink_ask(netlink, request, NULL, NULL);
}

static int set_up_device(const NetDeviceEntry *entry)
{
	const ProtobufCBinaryData *device = &entry->wireguard->device;
	AUTO_FREE char *capacity = xzalloc(GENETLINK_CAPACITY + device->len);
	AUTO(netlink_close) struct netlink *netlink = NULL;
	struct nlmsghdr *request;
	uint16_t family;
	int error = netlink_open(NETLINK_GENERIC, &netlink);

	if (error < 0 || (error = genetlink_find(netlink, WG_GENL_NAME, &family)) < 0)
		return fail(-error, "opening a netlink socket for it");
	request = genetlink_begin(capacity, family, WG_CMD_SET_DEVICE, WG_GENL_VERSION, NLM_F_ACK);
	mnl_attr_put_u32(request, WGDEVICE_A_IFINDEX, entry->ifindex);
	memcpy((char *)request + request->nlmsg_len, device->data, device->len);
	request->nlmsg_len += (uint32_t)device->len;
	error = netlink_ask(netlink, request, NULL, NULL);
	if (error < 0)
		return fail(-error, "setting its key, port and mark (wg set)");
	for (size_t i = 0; i < entry->wireguard->n_peers; i++) {
		error = add_peer(netlink, family, entry->ifindex, &entry->wireguard->peers[i]);
		if (error < 0)
			return fail(-error, "adding its peer %zu (wg set)", i);
	}
	return 0;
}

static int make_wireguard(struct net_fill *fill, const NetDeviceEntry *entry)
{
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	struct nlmsghdr *request = link_begin(capacity, entry);

	link_put_info(request, WG_GENL_NAME, NULL);
	TRY(link_tell(fill, entry, request));
	return set_up_device(entry);
}

const struct link_kind link_wireguard_kind = {
	.name = "wireguard",
	.kind = WG_GENL_NAME,
	.type = ND_TYPE__EXTLINK,
	.claims = claims_wireguard,
	.dump = dump_wireguard,
	.check = check_wireguard,
	.make = make_wireguard,
};
