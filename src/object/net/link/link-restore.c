/* SPDX-License-Identifier: GPL-2.0-only */
/* Network devices: what all kinds share when they are made again. */
#include "object/net/link/link-restore.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>

#include "base/fail.h"
#include "base/grace.h"
#include "base/log.h"
#include "kern/net/netlink.h"
#include "object/net/features.h"
#include "object/net/link/link.h"
#include "object/net/settings.h"

#define ADDRESS_MAX 32
#define DATA_MAX    2048
#ifndef IFF_LOWER_UP
#define IFF_LOWER_UP 0x10000
#endif
/* What a user may set; the others are the kernel's. */
#define FLAGS_SET                                                                                                     \
	(IFF_UP | IFF_DEBUG | IFF_NOTRAILERS | IFF_NOARP | IFF_PROMISC | IFF_ALLMULTI | IFF_MULTICAST | IFF_PORTSEL | \
	 IFF_AUTOMEDIA | IFF_DYNAMIC)

/* Whoever has made a device of any kind beforehand gives it: --external netdev[IN]:OUT. */
static const struct link_kind *find_kind(const struct restore *r, const NetDeviceEntry *entry)
{
	const char *given = link_external(r->options, "netdev", entry->name);

	if (given && given[0])
		return &link_given_kind;
	for (const struct link_kind *const *kind = link_kinds; *kind; kind++)
		if ((*kind)->type == entry->type && (!(*kind)->claims || (*kind)->claims(entry)))
			return *kind;
	return NULL;
}

/* --- load --- */

/* The name becomes a part of paths. */
static bool is_sound_name(const char *name)
{
	return name[0] && strlen(name) < IFNAMSIZ && !strpbrk(name, "/ \t\n") && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

bool link_attributes_are_sound(const ProtobufCBinaryData *data, const uint16_t *numbers)
{
	return data->len <= DATA_MAX && link_attributes_are_whole(data, numbers);
}

bool link_attributes_are_whole(const ProtobufCBinaryData *data, const uint16_t *numbers)
{
	size_t at = 0;

	while (at < data->len) {
		struct nlattr attribute;
		const uint16_t *number = numbers;

		if (data->len - at < sizeof(attribute))
			return false;
		memcpy(&attribute, data->data + at, sizeof(attribute));
		if (attribute.nla_len < sizeof(attribute) || (size_t)MNL_ALIGN(attribute.nla_len) > data->len - at)
			return false;
		while (*number && *number != (attribute.nla_type & NLA_TYPE_MASK))
			number++;
		if (!*number)
			return false;
		at += MNL_ALIGN(attribute.nla_len);
	}
	return true;
}

int net_link_check(const struct restore *r, const NetDeviceEntry *entry)
{
	const struct link_kind *kind = find_kind(r, entry);

	if (!is_sound_name(entry->name))
		return refuse(EINVAL, "\"%s\" is no name of a network device", entry->name);
	LOG_SCOPE("network device %s", entry->name);
	if (!entry->ifindex || entry->ifindex > INT32_MAX)
		return refuse(EINVAL, "its number %u makes no sense", entry->ifindex);
	if (entry->address.len > ADDRESS_MAX)
		return refuse(EINVAL, "its hardware address has %zu bytes", entry->address.len);
	if (entry->has_token && entry->token.len != 16)
		return refuse(EINVAL, "its IPv6 token has %zu bytes", entry->token.len);
	if (entry->alias && strlen(entry->alias) >= 256)
		return refuse(EINVAL, "its alias is too long");
	if (entry->has_slave_data && !link_attributes_are_sound(&entry->slave_data, link_port_settings) &&
	    !link_attributes_are_sound(&entry->slave_data, link_bond_port_settings))
		return refuse(EINVAL, "its settings as a port make no sense");
	TRY(net_settings_check_device(entry));
	if (!kind)
		return refuse(EOPNOTSUPP, "devices of the type %d cannot be restored", entry->type);
	return kind->check ? kind->check(r, entry) : 0;
}

int net_link_needs(const struct restore *r, const NetDeviceEntry *entry)
{
	const struct link_kind *kind = find_kind(r, entry);

	return kind && kind->needs ? kind->needs(r, entry) : 0;
}

/* --- requests --- */

struct nlmsghdr *link_begin(void *capacity, const NetDeviceEntry *entry)
{
	const struct ifinfomsg header = { .ifi_family = AF_UNSPEC, .ifi_index = (int)entry->ifindex };
	struct nlmsghdr *request =
		rtnetlink_begin(capacity, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));

	mnl_attr_put_strz(request, IFLA_IFNAME, entry->name);
	if (entry->has_address)
		mnl_attr_put(request, IFLA_ADDRESS, entry->address.len, entry->address.data);
	if (entry->tx_queues && entry->rx_queues) {
		mnl_attr_put_u32(request, IFLA_NUM_TX_QUEUES, entry->tx_queues);
		mnl_attr_put_u32(request, IFLA_NUM_RX_QUEUES, entry->rx_queues);
	}
	return request;
}

static void put_raw(struct nlmsghdr *request, uint16_t nest, const ProtobufCBinaryData *data)
{
	mnl_attr_put(request, nest | NLA_F_NESTED, data->len, data->data);
}

void link_put_info(struct nlmsghdr *request, const char *kind, const ProtobufCBinaryData *data)
{
	struct nlattr *info = mnl_attr_nest_start(request, IFLA_LINKINFO);

	mnl_attr_put_strz(request, IFLA_INFO_KIND, kind);
	if (data && data->len)
		put_raw(request, IFLA_INFO_DATA, data);
	mnl_attr_nest_end(request, info);
}

#define WAIT_MS 20

/* The namespace of the dump, with devices of the same names and addresses, goes away some time after its last task. */
static int tell_patiently(struct netlink *netlink, struct nlmsghdr *request)
{
	int error = rtnetlink_tell(netlink, request);

	for (int waited = 0; (error == -EEXIST || error == -EADDRINUSE) && waited < GRACE_DEVICE_NAME_MS;
	     waited += WAIT_MS) {
		poll(NULL, 0, WAIT_MS);
		error = rtnetlink_tell(netlink, request);
	}
	return error;
}

int link_tell(struct net_fill *fill, const NetDeviceEntry *entry, struct nlmsghdr *request)
{
	int error = tell_patiently(fill->netlink, request);

	if (error == -EOPNOTSUPP)
		return refuse(EOPNOTSUPP, "this kernel makes no such device (a module is missing)");
	if (error == -EEXIST)
		return refuse(EEXIST,
			      "its name, its number %u, or the name of its other end is taken: if by a tunnel that the "
			      "kernel makes in each new namespace (ip link), set net.core.fb_tunnels_only_for_init_net "
			      "to 2 for the time of the restore",
			      entry->ifindex);
	return error < 0 ? fail(-error, "making the device") : 0;
}

int link_enter_home(const struct net_fill *fill, struct netns_switch *entered, struct netlink **ret)
{
	int error = netns_enter(entered, fill->home_fd);

	if (error < 0)
		return fail(-error, "going back to the own network namespace");
	error = netlink_open(NETLINK_ROUTE, ret);
	return error < 0 ? fail(-error, "opening a netlink socket") : 0;
}

const NetDeviceEntry *link_find(NetDeviceEntry *const *devices, size_t n, uint32_t index)
{
	for (size_t i = 0; i < n; i++)
		if (devices[i]->ifindex == index)
			return devices[i];
	return NULL;
}

bool link_is_there(struct net_fill *fill, uint32_t index)
{
	const struct ifinfomsg header = { .ifi_family = AF_UNSPEC, .ifi_index = (int)index };
	char capacity[256] __attribute__((aligned(8)));

	return !rtnetlink_tell(fill->netlink, rtnetlink_begin(capacity, RTM_GETLINK, 0, &header, sizeof(header)));
}

/* --- settings of the device itself --- */

static struct nlmsghdr *change_device(void *capacity, const NetDeviceEntry *entry, uint32_t flags, uint32_t mask)
{
	const struct ifinfomsg header = {
		.ifi_family = AF_UNSPEC, .ifi_index = (int)entry->ifindex, .ifi_flags = flags, .ifi_change = mask
	};

	return rtnetlink_begin(capacity, RTM_NEWLINK, 0, &header, sizeof(header));
}

static int set_addr_gen_mode(struct net_fill *fill, const NetDeviceEntry *entry, uint8_t mode)
{
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	struct nlmsghdr *request = change_device(capacity, entry, 0, 0);
	struct nlattr *specs, *family;
	int error;

	if (!entry->has_addr_gen_mode)
		return 0;
	specs = mnl_attr_nest_start(request, IFLA_AF_SPEC);
	family = mnl_attr_nest_start(request, AF_INET6);
	mnl_attr_put_u8(request, IFLA_INET6_ADDR_GEN_MODE, mode);
	mnl_attr_nest_end(request, family);
	mnl_attr_nest_end(request, specs);
	error = rtnetlink_tell(fill->netlink, request);
	return error < 0 ? fail(-error, "setting how it gets link-local addresses") : 0;
}

static int set_up(struct net_fill *fill, const NetDeviceEntry *entry)
{
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	struct nlmsghdr *request = change_device(capacity, entry, entry->flags, FLAGS_SET & ~(uint32_t)IFF_UP);
	int error;

	if (entry->mtu)
		mnl_attr_put_u32(request, IFLA_MTU, entry->mtu);
	if (entry->has_tx_queue_len)
		mnl_attr_put_u32(request, IFLA_TXQLEN, entry->tx_queue_len);
	if (entry->has_group)
		mnl_attr_put_u32(request, IFLA_GROUP, entry->group);
	if (entry->alias)
		mnl_attr_put_strz(request, IFLA_IFALIAS, entry->alias);
	error = rtnetlink_tell(fill->netlink, request);
	if (error < 0)
		return fail(-error, "setting it up");
	TRY(net_settings_restore_device(fill->r, entry));
	TRY(net_features_restore(entry));
	/* Its addresses are known: none shall come by itself when it begins to run. */
	return set_addr_gen_mode(fill, entry, IN6_ADDR_GEN_MODE_NONE);
}

static int set_master(struct net_fill *fill, const NetDeviceEntry *entry)
{
	const NetDeviceEntry *master = link_find(fill->devices, fill->n_devices, entry->master);
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	struct nlmsghdr *request = change_device(capacity, entry, 0, 0);
	int error;

	mnl_attr_put_u32(request, IFLA_MASTER, entry->master);
	error = rtnetlink_tell(fill->netlink, request);
	if (error < 0)
		return fail(-error, "making it a port of device %u", entry->master);
	if (!entry->has_slave_data)
		return 0;
	request = change_device(capacity, entry, 0, 0);
	struct nlattr *info = mnl_attr_nest_start(request, IFLA_LINKINFO);
	mnl_attr_put_strz(request, IFLA_INFO_SLAVE_KIND, master && master->kind ? master->kind : "bridge");
	put_raw(request, IFLA_INFO_SLAVE_DATA, &entry->slave_data);
	mnl_attr_nest_end(request, info);
	error = rtnetlink_tell(fill->netlink, request);
	return error < 0 ? fail(-error, "setting it up as a port of device %u", entry->master) : 0;
}

static int let_run(struct net_fill *fill, const NetDeviceEntry *entry)
{
	char capacity[256] __attribute__((aligned(8)));

	return tell_patiently(fill->netlink, change_device(capacity, entry, entry->flags, IFF_UP));
}

/* --- all of a namespace --- */

/* The kernel makes some itself: lo, tunl0, sit0, ... */
static int make_link(struct net_fill *fill, const NetDeviceEntry *entry)
{
	const struct link_kind *kind = find_kind(fill->r, entry);
	int index = rtnetlink_index(fill->netlink, entry->name);

	if (index == (int)entry->ifindex)
		return 0;
	if (index)
		return refuse(EEXIST,
			      "this kernel makes it with the number %d, where %u is wanted: "
			      "net.core.fb_tunnels_only_for_init_net=2 keeps it from that",
			      index, entry->ifindex);
	if (!kind->make)
		return refuse(ENODEV, "this kernel does not make it, as that of the dump did");
	return kind->make(fill, entry);
}

/* Devices stand on others: those that find theirs missing wait for the next round. */
static int each_until_done(struct net_fill *fill, int (*step)(struct net_fill *fill, const NetDeviceEntry *entry),
			   int waits, const char *what)
{
	bool *done = pool_array(fill->r->pool, bool, fill->n_devices);
	size_t left = fill->n_devices, before = left + 1;

	while (left && left < before) {
		before = left;
		for (size_t i = 0; i < fill->n_devices; i++) {
			int error;

			if (done[i])
				continue;
			LOG_SCOPE("network device %s", fill->devices[i]->name);
			error = step(fill, fill->devices[i]);
			if (error == waits)
				continue;
			TRY(error);
			done[i] = true;
			left--;
		}
	}
	return left ? refuse(EINVAL, "%s %zu network devices: what they stand on is missing", what, left) : 0;
}

int net_links_make(struct net_fill *fill)
{
	TRY(each_until_done(fill, make_link, -ENODEV, "cannot make"));
	for (size_t i = 0; i < fill->n_devices; i++) {
		LOG_SCOPE("network device %s", fill->devices[i]->name);
		TRY(set_up(fill, fill->devices[i]));
	}
	for (size_t i = 0; i < fill->n_devices; i++) {
		LOG_SCOPE("network device %s", fill->devices[i]->name);
		if (fill->devices[i]->has_master && fill->devices[i]->master)
			TRY(set_master(fill, fill->devices[i]));
	}
	for (size_t i = 0; i < fill->n_devices; i++) {
		const struct link_kind *kind = find_kind(fill->r, fill->devices[i]);

		LOG_SCOPE("network device %s", fill->devices[i]->name);
		if (kind->finish)
			TRY(kind->finish(fill, fill->devices[i]));
	}
	return 0;
}

static int start_device(struct net_fill *fill, const NetDeviceEntry *entry)
{
	int error = entry->flags & IFF_UP ? let_run(fill, entry) : 0;

	if (error == -ENETDOWN)
		return error;
	return error < 0 ? fail(-error, "switching it on") : 0;
}

int net_links_start(struct net_fill *fill)
{
	return each_until_done(fill, start_device, -ENETDOWN, "cannot switch on");
}

static int set_token(struct net_fill *fill, const NetDeviceEntry *entry)
{
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	struct nlmsghdr *request = change_device(capacity, entry, 0, 0);
	struct nlattr *specs, *family;
	int error;

	if (!entry->has_token)
		return 0;
	specs = mnl_attr_nest_start(request, IFLA_AF_SPEC);
	family = mnl_attr_nest_start(request, AF_INET6);
	mnl_attr_put(request, IFLA_INET6_TOKEN, entry->token.len, entry->token.data);
	mnl_attr_nest_end(request, family);
	mnl_attr_nest_end(request, specs);
	error = rtnetlink_tell(fill->netlink, request);
	return error < 0 ? fail(-error, "setting its IPv6 token") : 0;
}

static int take_flags(void *arg, const struct nlmsghdr *message)
{
	*(uint32_t *)arg = ((const struct ifinfomsg *)mnl_nlmsg_get_payload(message))->ifi_flags;
	return 0;
}

#define STEP_MS 5

/*
 * The kernel notices a cable a moment after the device was switched on, and gives a link-local address then. One that
 * was taken away shall not come back: the notice is waited for.
 */
static void await_running(struct net_fill *fill, const NetDeviceEntry *entry)
{
	const struct ifinfomsg header = { .ifi_family = AF_UNSPEC, .ifi_index = (int)entry->ifindex };
	char capacity[256] __attribute__((aligned(8)));

	for (int waited = 0; waited < GRACE_DEVICE_UP_MS; waited += STEP_MS) {
		uint32_t flags = 0;

		(void)netlink_ask(fill->netlink, rtnetlink_begin(capacity, RTM_GETLINK, 0, &header, sizeof(header)),
				  take_flags, &flags);
		if (!(flags & IFF_UP) || !(flags & IFF_LOWER_UP) || flags & IFF_RUNNING)
			return;
		poll(NULL, 0, STEP_MS);
	}
}

int net_links_finish(struct net_fill *fill, bool (*has_own)(const void *arg, uint32_t index), const void *arg)
{
	for (size_t i = 0; i < fill->n_devices; i++) {
		LOG_SCOPE("network device %s", fill->devices[i]->name);
		if (fill->devices[i]->has_addr_gen_mode && !has_own(arg, fill->devices[i]->ifindex))
			await_running(fill, fill->devices[i]);
		TRY(set_token(fill, fill->devices[i]));
		TRY(set_addr_gen_mode(fill, fill->devices[i], (uint8_t)fill->devices[i]->addr_gen_mode));
	}
	return 0;
}
