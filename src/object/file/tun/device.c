/* SPDX-License-Identifier: GPL-2.0-only */
/* What a tun device is beside its file: rtnetlink(7) tells, and is told again. Addresses and routes are kept as the
 * kernel writes them. */
#include "object/file/tun/device.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/vector.h"
#include "kern/net/netlink.h"
#include "session/session.h"

#define MESSAGE_MAX 4096

struct kept_answers {
	const struct dump *d;
	TunfileEntry *record;
	VECTOR(ProtobufCBinaryData) kept;
};

static int pass_attribute(const struct nlattr *attribute, void *data)
{
	const struct nlattr **table = data;

	if (mnl_attr_get_type(attribute) <= IFLA_MAX)
		table[mnl_attr_get_type(attribute)] = attribute;
	return MNL_CB_OK;
}

static void read_tun_data(const struct nlattr *info, struct kept_answers *asked)
{
	const struct nlattr *parts[IFLA_MAX + 1] = { 0 }, *data[IFLA_MAX + 1] = { 0 };

	if (!info)
		return;
	mnl_attr_parse_nested(info, pass_attribute, parts);
	if (!parts[IFLA_INFO_KIND] || strcmp(mnl_attr_get_str(parts[IFLA_INFO_KIND]), "tun") != 0 ||
	    !parts[IFLA_INFO_DATA])
		return;
	mnl_attr_parse_nested(parts[IFLA_INFO_DATA], pass_attribute, data);
	if (!asked->record)
		return;
	asked->record->link->owner = data[IFLA_TUN_OWNER] ? (int32_t)mnl_attr_get_u32(data[IFLA_TUN_OWNER]) : -1;
	asked->record->link->group = data[IFLA_TUN_GROUP] ? (int32_t)mnl_attr_get_u32(data[IFLA_TUN_GROUP]) : -1;
	asked->record->has_persistent = true;
	asked->record->persistent = data[IFLA_TUN_PERSIST] && mnl_attr_get_u8(data[IFLA_TUN_PERSIST]);
}

/* How link-local addresses are made: the ones that it has shall not be joined by new ones. */
static void read_address_mode(const struct nlattr *specs, TunfileEntry *record)
{
	const struct nlattr *families[IFLA_MAX + 1] = { 0 }, *parts[IFLA_MAX + 1] = { 0 };

	if (!specs)
		return;
	mnl_attr_parse_nested(specs, pass_attribute, families);
	if (!families[AF_INET6])
		return;
	mnl_attr_parse_nested(families[AF_INET6], pass_attribute, parts);
	record->has_addr_gen_mode = parts[IFLA_INET6_ADDR_GEN_MODE] != NULL;
	if (record->has_addr_gen_mode)
		record->addr_gen_mode = mnl_attr_get_u8(parts[IFLA_INET6_ADDR_GEN_MODE]);
}

static int read_link(void *arg, const struct nlmsghdr *message)
{
	struct kept_answers *asked = arg;
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	const struct nlattr *parts[IFLA_MAX + 1] = { 0 };
	TunfileEntry *record = asked->record;

	mnl_attr_parse(message, sizeof(*info), pass_attribute, parts);
	read_tun_data(parts[IFLA_LINKINFO], asked);
	if (!record)
		return 0;
	record->has_ifindex = record->has_ifflags = record->has_mtu = true;
	record->ifindex = (uint32_t)info->ifi_index;
	record->ifflags = info->ifi_flags;
	read_address_mode(parts[IFLA_AF_SPEC], record);
	record->mtu = parts[IFLA_MTU] ? mnl_attr_get_u32(parts[IFLA_MTU]) : 0;
	if (parts[IFLA_ADDRESS]) {
		record->has_address = true;
		record->address.len = mnl_attr_get_payload_len(parts[IFLA_ADDRESS]);
		record->address.data =
			pool_copy(asked->d->pool, mnl_attr_get_payload(parts[IFLA_ADDRESS]), record->address.len);
	}
	return 0;
}

static void keep_answer(struct kept_answers *asked, const struct nlmsghdr *message)
{
	ProtobufCBinaryData *kept = vector_push(&asked->kept);

	kept->len = mnl_nlmsg_get_payload_len(message);
	kept->data = pool_copy(asked->d->pool, mnl_nlmsg_get_payload(message), kept->len);
}

static int read_address(void *arg, const struct nlmsghdr *message)
{
	struct kept_answers *asked = arg;
	const struct ifaddrmsg *address = mnl_nlmsg_get_payload(message);

	if (address->ifa_index == asked->record->ifindex)
		keep_answer(asked, message);
	return 0;
}

static int read_route(void *arg, const struct nlmsghdr *message)
{
	struct kept_answers *asked = arg;
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	const struct nlattr *parts[IFLA_MAX + 1] = { 0 };

	/* Those of the kernel come with the addresses. */
	if (route->rtm_protocol == RTPROT_KERNEL || route->rtm_flags & RTM_F_CLONED)
		return 0;
	mnl_attr_parse(message, sizeof(*route), pass_attribute, parts);
	if (parts[RTA_OIF] && mnl_attr_get_u32(parts[RTA_OIF]) == asked->record->ifindex)
		keep_answer(asked, message);
	return 0;
}

static int ask_all(struct netlink *netlink, uint16_t type, size_t size,
		   int (*answer)(void *arg, const struct nlmsghdr *message), struct kept_answers *asked)
{
	char capacity[256];
	int result;

	for (int i = 0; i < 10; i++) {
		struct nlmsghdr *request = mnl_nlmsg_put_header(capacity);

		request->nlmsg_type = type;
		request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
		mnl_nlmsg_put_extra_header(request, size);
		asked->kept.n = 0;
		result = netlink_ask(netlink, request, answer, asked);
		if (result != -EINTR)
			break;
	}
	return result < 0 ? fail(-result, "asking for devices, addresses and routes of the network") : 0;
}

static int ask_link(struct netlink *netlink, const char *name, struct kept_answers *asked)
{
	char capacity[256];
	struct nlmsghdr *request = mnl_nlmsg_put_header(capacity);
	int result;

	request->nlmsg_type = RTM_GETLINK;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(request, IFLA_IFNAME, name);
	result = netlink_ask(netlink, request, read_link, asked);
	return result < 0 ? fail(-result, "asking for network device %s", name) : 0;
}

static void hand_over(struct kept_answers *asked, size_t *ret_n, ProtobufCBinaryData **ret)
{
	*ret_n = asked->kept.n;
	*ret = pool_copy(asked->d->pool, asked->kept.items, asked->kept.n * sizeof(**ret));
}

int tun_device_dump(const struct dump *d, const char *name, TunfileEntry *record)
{
	struct kept_answers asked = { .d = d, .record = record };
	AUTO(netlink_close) struct netlink *netlink = NULL;
	int result = netlink_open(NETLINK_ROUTE, &netlink);

	if (result < 0)
		return fail(-result, "opening a netlink socket");
	TRY(ask_link(netlink, name, &asked));
	result = ask_all(netlink, RTM_GETADDR, sizeof(struct ifaddrmsg), read_address, &asked);
	if (result == 0) {
		hand_over(&asked, &record->n_addresses, &record->addresses);
		result = ask_all(netlink, RTM_GETROUTE, sizeof(struct rtmsg), read_route, &asked);
	}
	if (result == 0)
		hand_over(&asked, &record->n_routes, &record->routes);
	vector_done(&asked.kept);
	return result;
}

/* --- restore --- */

int tun_device_check(const TunfileEntry *record)
{
	if (strlen(record->netdev) >= IFNAMSIZ || !record->netdev[0])
		return refuse(EINVAL, "files.img: \"%s\" is no name of a network device", record->netdev);
	for (size_t i = 0; i < record->n_addresses; i++)
		if (record->addresses[i].len < sizeof(struct ifaddrmsg) || record->addresses[i].len > MESSAGE_MAX / 2)
			return refuse(EINVAL, "files.img: address %zu of device %s makes no sense", i, record->netdev);
	for (size_t i = 0; i < record->n_routes; i++)
		if (record->routes[i].len < sizeof(struct rtmsg) || record->routes[i].len > MESSAGE_MAX / 2)
			return refuse(EINVAL, "files.img: route %zu of device %s makes no sense", i, record->netdev);
	if (record->has_address && record->address.len > 32)
		return refuse(EINVAL, "files.img: the hardware address of device %s is too long", record->netdev);
	return 0;
}

static int nobody_answers(void *arg, const struct nlmsghdr *message)
{
	return 0;
}

static struct nlmsghdr *begin_request(char *capacity, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(capacity);

	request->nlmsg_type = type;
	request->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	return request;
}

static int set_link(struct netlink *netlink, const TunfileEntry *record, uint32_t index)
{
	char capacity[MESSAGE_MAX];
	struct nlmsghdr *request = begin_request(capacity, RTM_NEWLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
	int result;

	info->ifi_index = (int)index;
	info->ifi_change = IFF_UP | IFF_PROMISC | IFF_ALLMULTI | IFF_NOARP | IFF_MULTICAST;
	info->ifi_flags = record->ifflags & info->ifi_change;
	if (record->mtu)
		mnl_attr_put_u32(request, IFLA_MTU, record->mtu);
	if (record->has_address && record->address.len)
		mnl_attr_put(request, IFLA_ADDRESS, record->address.len, record->address.data);
	result = netlink_ask(netlink, request, nobody_answers, NULL);
	return result < 0 ? fail(-result, "setting up network device %s", record->netdev) : 0;
}

static int set_address_mode(struct netlink *netlink, const TunfileEntry *record, uint32_t index, uint8_t mode)
{
	char capacity[MESSAGE_MAX];
	struct nlmsghdr *request = begin_request(capacity, RTM_NEWLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
	struct nlattr *specs, *family;
	int result;

	if (!record->has_addr_gen_mode)
		return 0;
	info->ifi_index = (int)index;
	specs = mnl_attr_nest_start(request, IFLA_AF_SPEC);
	family = mnl_attr_nest_start(request, AF_INET6);
	mnl_attr_put_u8(request, IFLA_INET6_ADDR_GEN_MODE, mode);
	mnl_attr_nest_end(request, family);
	mnl_attr_nest_end(request, specs);
	result = netlink_ask(netlink, request, nobody_answers, NULL);
	return result < 0 ? fail(-result, "setting how network device %s gets link-local addresses", record->netdev)
			  : 0;
}

/* A message of the kernel, with the index that the device has now. */
static int send_kept(struct netlink *netlink, uint16_t type, const ProtobufCBinaryData *kept,
		     const TunfileEntry *record, uint32_t index)
{
	char capacity[MESSAGE_MAX];
	struct nlmsghdr *request = begin_request(capacity, type, NLM_F_CREATE | NLM_F_REPLACE);
	void *payload = mnl_nlmsg_put_extra_header(request, kept->len);
	int result;

	memcpy(payload, kept->data, kept->len);
	if (type == RTM_NEWADDR) {
		((struct ifaddrmsg *)payload)->ifa_index = index;
	} else {
		struct nlattr *attribute;

		mnl_attr_for_each(attribute, request,
				  sizeof(struct rtmsg)) if (mnl_attr_get_type(attribute) == RTA_OIF &&
							    mnl_attr_get_payload_len(attribute) == sizeof(index))
			memcpy(mnl_attr_get_payload(attribute), &index, sizeof(index));
	}
	result = netlink_ask(netlink, request, nobody_answers, NULL);
	return result < 0 ? fail(-result, "setting %s of network device %s",
				 type == RTM_NEWADDR ? "an address" : "a route", record->netdev)
			  : 0;
}

int tun_device_configure(const TunfileEntry *record)
{
	AUTO(netlink_close) struct netlink *netlink = NULL;
	uint32_t index = if_nametoindex(record->netdev);
	int result = netlink_open(NETLINK_ROUTE, &netlink);

	if (result < 0)
		return fail(-result, "opening a netlink socket");
	TRY(set_address_mode(netlink, record, index, IN6_ADDR_GEN_MODE_NONE));
	TRY(set_link(netlink, record, index));
	for (size_t i = 0; i < record->n_addresses; i++)
		TRY(send_kept(netlink, RTM_NEWADDR, &record->addresses[i], record, index));
	for (size_t i = 0; i < record->n_routes; i++)
		TRY(send_kept(netlink, RTM_NEWROUTE, &record->routes[i], record, index));
	return set_address_mode(netlink, record, index, (uint8_t)record->addr_gen_mode);
}
