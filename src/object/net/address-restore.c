/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses, routes, rules, neighbours: from their images to the kernel. */
#include "object/net/address-restore.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_ether.h>
#include <linux/neighbour.h>
#include <string.h>
#include <sys/socket.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "image/payload.h"
#include "kern/net/netlink.h"
#include "kern/net/rtnetlink.h"
#include "object/net/nexthop.h"
#include "object/net/tables.h"

const struct net_table net_tables[] = {
	{ "addresses", IMAGE_IFADDR, 0x47361222, RTM_NEWADDR, AF_UNSPEC, sizeof(struct ifaddrmsg),
	  offsetof(struct net_tables, addresses) },
	{ "IPv4 routes", IMAGE_ROUTE, 0x45311224, RTM_NEWROUTE, AF_INET, sizeof(struct rtmsg),
	  offsetof(struct net_tables, routes) },
	{ "IPv6 routes", IMAGE_ROUTE6, 0x45311224, RTM_NEWROUTE, AF_INET6, sizeof(struct rtmsg),
	  offsetof(struct net_tables, routes6) },
	{ "rules", IMAGE_RULE, 0x71706986, RTM_NEWRULE, AF_UNSPEC, sizeof(struct fib_rule_hdr),
	  offsetof(struct net_tables, rules) },
	{ 0 },
};

/* --- load --- */

static int load_table(const struct restore *r, const struct net_table *table, uint32_t id, struct net_messages *to)
{
	AUTO(image_close) struct image *image = NULL;
	uint32_t word = 0;
	size_t size;
	void *data;
	int error = image_open_number(r->store, &image, table->image, (struct image_number){ id });

	if (error == -ENOENT)
		return 0;
	TRY(error);
	TRY(image_read_payload(image, &data, &size));
	if (!size)
		return 0;
	if (size >= sizeof(word))
		memcpy(&word, data, sizeof(word));
	if (word != table->word)
		return image_refuse(image, "it does not begin as saved %s do", table->what);
	if (!rtnetlink_is_sound((char *)data + sizeof(word), size - sizeof(word), table->type, table->header))
		return image_refuse(image, "its messages are damaged");
	/* Aligned as messages are to be. */
	to->size = size - sizeof(word);
	to->data = pool_copy(r->pool, (char *)data + sizeof(word), to->size);
	return 0;
}

int net_tables_load(const struct restore *r, uint32_t id, const NetnsEntry *entry, struct net_tables *to)
{
	for (const struct net_table *table = net_tables; table->what; table++)
		TRY(load_table(r, table, id, (struct net_messages *)((char *)to + table->place)));
	for (size_t i = 0; i < entry->n_neighbours; i++)
		if (!rtnetlink_payload_is_sound(entry->neighbours[i].data, entry->neighbours[i].len,
						sizeof(struct ndmsg)))
			return refuse(EINVAL, "neighbour %zu makes no sense", i);
	return net_nexthops_check(entry);
}

/* --- requests --- */

/* The message again, as a request. */
static struct nlmsghdr *repeat_message(void *capacity, const struct nlmsghdr *message, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *request = capacity;

	memcpy(capacity, message, message->nlmsg_len);
	request->nlmsg_type = type;
	request->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	request->nlmsg_pid = 0;
	return request;
}

static bool has_payload(const struct nlmsghdr *a, const struct nlmsghdr *b)
{
	return a->nlmsg_len == b->nlmsg_len &&
	       !memcmp(mnl_nlmsg_get_payload(a), mnl_nlmsg_get_payload(b), mnl_nlmsg_get_payload_len(a));
}

static bool same_attribute(const struct nlattr *a, const struct nlattr *b)
{
	if (!a || !b)
		return a == b;
	return a->nla_len == b->nla_len && !memcmp(a, b, a->nla_len);
}

/* --- addresses --- */

static bool is_same_address(const struct nlmsghdr *a, const struct nlmsghdr *b)
{
	const struct ifaddrmsg *x = mnl_nlmsg_get_payload(a), *y = mnl_nlmsg_get_payload(b);
	const struct nlattr *p[IFA_MAX + 1] = { 0 }, *q[IFA_MAX + 1] = { 0 };

	if (x->ifa_family != y->ifa_family || x->ifa_index != y->ifa_index || x->ifa_prefixlen != y->ifa_prefixlen ||
	    x->ifa_scope != y->ifa_scope)
		return false;
	rtnetlink_parse(a, sizeof(*x), p, IFA_MAX + 1);
	rtnetlink_parse(b, sizeof(*y), q, IFA_MAX + 1);
	return same_attribute(p[IFA_LOCAL], q[IFA_LOCAL]) && same_attribute(p[IFA_ADDRESS], q[IFA_ADDRESS]) &&
	       same_attribute(p[IFA_LABEL], q[IFA_LABEL]);
}

static bool is_wanted(const struct nlmsghdr *address, const struct net_messages *wanted)
{
	const struct nlmsghdr *message;

	rtnetlink_for_each(message, wanted->data, wanted->size) if (is_same_address(address, message)) return true;
	return false;
}

/* Those that came by themselves and were not there: 127.0.0.1 on a loopback device that has lost it. */
static int remove_unwanted(struct netlink *netlink, const struct net_messages *wanted, struct buffer *now)
{
	const struct ifaddrmsg header = { .ifa_family = AF_UNSPEC };
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	const struct nlmsghdr *message;
	int error = rtnetlink_dump(netlink, RTM_GETADDR, &header, sizeof(header), NULL, now);

	if (error < 0)
		return fail(-error, "asking for the addresses");
	rtnetlink_for_each(message, now->data, now->size)
	{
		if (is_wanted(message, wanted))
			continue;
		error = rtnetlink_tell(netlink, repeat_message(capacity, message, RTM_DELADDR, 0));
		if (error < 0 && error != -EADDRNOTAVAIL)
			return fail(-error, "removing an address that the kernel has given");
	}
	return 0;
}

static uint32_t detection_flags(uint32_t flags, bool detect)
{
	flags &= ~(uint32_t)(IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_OPTIMISTIC);
	return detect ? flags : flags | IFA_F_NODAD;
}

/* Nobody else had it while it was away: no duplicate address detection, which would keep it from being used for a
 * while. */
static void set_detection(struct nlmsghdr *request, bool detect)
{
	struct ifaddrmsg *address = mnl_nlmsg_get_payload(request);
	struct nlattr *attribute;

	if (address->ifa_family != AF_INET6)
		return;
	address->ifa_flags = (uint8_t)detection_flags(address->ifa_flags, detect);
	mnl_attr_for_each(attribute, request, sizeof(*address))
	{
		uint32_t flags;

		if (mnl_attr_get_type(attribute) != IFA_FLAGS || mnl_attr_get_payload_len(attribute) < sizeof(flags))
			continue;
		flags = detection_flags(mnl_attr_get_u32(attribute), detect);
		memcpy(mnl_attr_get_payload(attribute), &flags, sizeof(flags));
	}
}

/* It is there already, as it was: the loopback device gets its addresses by itself. */
static bool is_unchanged(const struct nlmsghdr *address, const struct net_messages *now)
{
	const struct nlattr *p[IFA_MAX + 1] = { 0 };
	const struct nlmsghdr *message;

	rtnetlink_parse(address, sizeof(struct ifaddrmsg), p, IFA_MAX + 1);
	rtnetlink_for_each(message, now->data, now->size)
	{
		const struct nlattr *q[IFA_MAX + 1] = { 0 };

		if (!is_same_address(address, message))
			continue;
		rtnetlink_parse(message, sizeof(struct ifaddrmsg), q, IFA_MAX + 1);
		return same_attribute(p[IFA_FLAGS], q[IFA_FLAGS]) &&
		       same_attribute(p[IFA_RT_PRIORITY], q[IFA_RT_PRIORITY]);
	}
	return false;
}

/* It was not known yet that it is ours, or that a neighbour has it: the kernel asks again. Nobody can have used it. */
static bool was_in_detection(const struct ifaddrmsg *address)
{
	return address->ifa_family == AF_INET6 &&
	       ((address->ifa_flags & IFA_F_DADFAILED) ||
		(address->ifa_flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)) == IFA_F_TENTATIVE);
}

/* That there is no detection is a lasting property as well: an address that did not have it loses it again. */
static int restore_address(struct netlink *netlink, const struct nlmsghdr *message, const struct net_messages *now)
{
	const struct ifaddrmsg *address = mnl_nlmsg_get_payload(message);
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	struct nlmsghdr *request = repeat_message(capacity, message, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
	int error;

	if (is_unchanged(message, now))
		return 0;
	set_detection(request, was_in_detection(address));
	error = rtnetlink_tell(netlink, request);
	if (error == 0 && address->ifa_family == AF_INET6 && !was_in_detection(address) &&
	    !(address->ifa_flags & IFA_F_NODAD)) {
		request = repeat_message(capacity, message, RTM_NEWADDR, NLM_F_REPLACE);
		set_detection(request, true);
		error = rtnetlink_tell(netlink, request);
	}
	return error < 0 && error != -EEXIST ? fail(-error, "setting an address of device %u", address->ifa_index) : 0;
}

static unsigned char family_of(const struct nlmsghdr *message)
{
	return ((const struct ifaddrmsg *)mnl_nlmsg_get_payload(message))->ifa_family;
}

static int restore_addresses(struct pool *pool, struct netlink *netlink, const struct net_messages *wanted)
{
	AUTO(buffer_done) struct buffer now = { 0 };
	const struct nlmsghdr *message, **list;
	size_t n = 0;

	TRY(remove_unwanted(netlink, wanted, &now));
	rtnetlink_for_each(message, wanted->data, wanted->size) n++;
	list = pool_array(pool, const struct nlmsghdr *, n);
	n = 0;
	rtnetlink_for_each(message, wanted->data, wanted->size) list[n++] = message;
	/* The kernel puts a new address of IPv4 behind the others, one of IPv6 before them. */
	for (size_t i = 0; i < n; i++)
		if (family_of(list[i]) != AF_INET6)
			TRY(restore_address(netlink, list[i], &(struct net_messages){ now.data, now.size }));
	for (size_t i = n; i > 0; i--)
		if (family_of(list[i - 1]) == AF_INET6)
			TRY(restore_address(netlink, list[i - 1], &(struct net_messages){ now.data, now.size }));
	return 0;
}

/* --- routes --- */

/* State that only the kernel sets. */
static void clean_nexthops(struct nlattr *attribute)
{
	char *at = mnl_attr_get_payload(attribute);
	size_t left = mnl_attr_get_payload_len(attribute);

	while (left >= sizeof(struct rtnexthop)) {
		struct rtnexthop *hop = (struct rtnexthop *)at;

		if (hop->rtnh_len < sizeof(*hop) || (size_t)RTNH_ALIGN(hop->rtnh_len) > left)
			break;
		hop->rtnh_flags &= RTNH_F_ONLINK | RTNH_F_PERVASIVE;
		at += RTNH_ALIGN(hop->rtnh_len);
		left -= RTNH_ALIGN(hop->rtnh_len);
	}
}

/* An IPv6 route that ends some time says so in another way than it wants to hear it. */
static void set_expiry(struct nlmsghdr *request, const struct nlattr *info)
{
	struct rta_cacheinfo cache;

	if (mnl_attr_get_payload_len(info) < sizeof(cache))
		return;
	memcpy(&cache, mnl_attr_get_payload(info), sizeof(cache));
	if (cache.rta_expires > 0)
		mnl_attr_put_u32(request, RTA_EXPIRES, (uint32_t)cache.rta_expires / 100); /* USER_HZ to seconds */
}

static bool names_nexthop(const struct nlmsghdr *message)
{
	const struct nlattr *parts[RTA_MAX + 1] = { 0 };

	rtnetlink_parse(message, sizeof(struct rtmsg), parts, RTA_MAX + 1);
	return parts[RTA_NH_ID];
}

/* The object says where the route goes; the kernel tells it of the route as well, and wants to hear it once. */
static void drop_what_nexthop_says(struct nlmsghdr *request, const struct nlmsghdr *message)
{
	static const uint16_t said[] = { RTA_OIF, RTA_GATEWAY, RTA_VIA, RTA_MULTIPATH, RTA_ENCAP, RTA_ENCAP_TYPE };
	struct rtmsg *route = mnl_nlmsg_get_payload(request);
	const struct nlattr *attribute;

	request->nlmsg_len = (uint32_t)(NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(*route)));
	route->rtm_flags = 0;
	mnl_attr_for_each(attribute, message, sizeof(*route))
	{
		bool is_said = false;

		for (size_t i = 0; i < ARRAY_SIZE(said); i++)
			is_said |= said[i] == mnl_attr_get_type(attribute);
		if (!is_said)
			mnl_attr_put(request, attribute->nla_type, mnl_attr_get_payload_len(attribute),
				     mnl_attr_get_payload(attribute));
	}
}

static struct nlmsghdr *make_route(void *capacity, const struct nlmsghdr *message)
{
	const struct rtmsg *from = mnl_nlmsg_get_payload(message);
	/* Routes to the same place keep their order only if each is put behind the others; for IPv6 that word means to
	 * join them. */
	struct nlmsghdr *request = repeat_message(capacity, message, RTM_NEWROUTE,
						  NLM_F_CREATE | (from->rtm_family == AF_INET ? NLM_F_APPEND : 0));
	struct rtmsg *route = mnl_nlmsg_get_payload(request);
	struct nlattr *attribute, *info = NULL;

	route->rtm_flags &= RTNH_F_ONLINK | RTNH_F_PERVASIVE;
	if (names_nexthop(message))
		drop_what_nexthop_says(request, message);
	mnl_attr_for_each(attribute, request, sizeof(*route))
	{
		if (mnl_attr_get_type(attribute) == RTA_MULTIPATH)
			clean_nexthops(attribute);
		if (mnl_attr_get_type(attribute) == RTA_CACHEINFO && route->rtm_family == AF_INET6)
			info = attribute;
	}
	if (info)
		set_expiry(request, info);
	return request;
}

/* A route through a gateway wants the route to that gateway to be there: such wait for the next round. */
static bool may_wait(int error)
{
	return error == -ENETUNREACH || error == -EHOSTUNREACH || error == -EINVAL || error == -ENETDOWN;
}

static int restore_routes(struct netlink *netlink, const struct net_messages *wanted, bool by_nexthop)
{
	AUTO(buffer_done) struct buffer waiting = { 0 };
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	const struct nlmsghdr *message;
	size_t before = SIZE_MAX;
	int error, last = 0;

	rtnetlink_for_each(message, wanted->data, wanted->size) if (names_nexthop(message) == by_nexthop)
		buffer_append(&waiting, message, NLMSG_ALIGN(message->nlmsg_len));
	while (waiting.size && waiting.size < before) {
		struct buffer next = { 0 };

		before = waiting.size;
		rtnetlink_for_each(message, waiting.data, waiting.size)
		{
			error = rtnetlink_tell(netlink, make_route(capacity, message));
			if (error == 0 || error == -EEXIST)
				continue;
			last = error;
			if (!may_wait(error))
				break;
			buffer_append(&next, message, NLMSG_ALIGN(message->nlmsg_len));
		}
		if ((const char *)message < waiting.data + waiting.size) { /* one that will never be taken */
			buffer_done(&next);
			break;
		}
		buffer_done(&waiting);
		waiting = next;
	}
	return waiting.size ? fail(-last, "setting routes") : 0;
}

/* --- rules --- */

static bool has_message(const struct nlmsghdr *message, const void *data, size_t size)
{
	const struct nlmsghdr *other;

	rtnetlink_for_each(other, data, size) if (has_payload(message, other)) return true;
	return false;
}

/* Of IPv4 all are in the image, of IPv6 those that came later. */
static int restore_rules(struct netlink *netlink, const struct net_messages *wanted)
{
	AUTO(buffer_done) struct buffer now = { 0 };
	const struct fib_rule_hdr header = { .family = AF_INET };
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	const struct nlmsghdr *message;
	int error;

	if (!wanted->size)
		return 0;
	error = rtnetlink_dump(netlink, RTM_GETRULE, &header, sizeof(header), NULL, &now);
	if (error < 0)
		return fail(-error, "asking for the rules");
	rtnetlink_for_each(message, now.data, now.size)
	{
		if (has_message(message, wanted->data, wanted->size))
			continue;
		error = rtnetlink_tell(netlink, repeat_message(capacity, message, RTM_DELRULE, 0));
		if (error < 0)
			return fail(-error, "removing a rule that was not there");
	}
	rtnetlink_for_each(message, wanted->data, wanted->size)
	{
		if (has_message(message, now.data, now.size))
			continue;
		error = rtnetlink_tell(netlink, repeat_message(capacity, message, RTM_NEWRULE, NLM_F_CREATE));
		if (error < 0 && error != -EEXIST)
			return fail(-error, "setting a rule");
	}
	return 0;
}

/* --- neighbours --- */

/* Several for the same group or for none: each is added. Others have one place. */
static bool has_many_places(const struct nlmsghdr *message)
{
	const struct nlattr *parts[NDA_MAX + 1] = { 0 };
	const uint8_t *address;

	rtnetlink_parse(message, sizeof(struct ndmsg), parts, NDA_MAX + 1);
	if (!parts[NDA_LLADDR] || mnl_attr_get_payload_len(parts[NDA_LLADDR]) != ETH_ALEN)
		return false;
	address = mnl_attr_get_payload(parts[NDA_LLADDR]);
	return address[0] & 1 || !memcmp(address, (const uint8_t[ETH_ALEN]){ 0 }, ETH_ALEN);
}

/* Checked at load. */
static struct nlmsghdr *repeat_neighbour(void *capacity, const ProtobufCBinaryData *data)
{
	struct nlmsghdr *request =
		rtnetlink_begin(capacity, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, data->data, data->len);
	struct ndmsg *entry = mnl_nlmsg_get_payload(request);

	if (entry->ndm_family != AF_BRIDGE)
		return request;
	if (!(entry->ndm_flags & NTF_SELF))
		entry->ndm_flags |= NTF_MASTER;
	if (has_many_places(request))
		request->nlmsg_flags = (uint16_t)((request->nlmsg_flags & ~NLM_F_REPLACE) | NLM_F_APPEND);
	return request;
}

static int restore_neighbours(struct netlink *netlink, const NetnsEntry *entry)
{
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));

	for (size_t i = 0; i < entry->n_neighbours; i++) {
		int error = rtnetlink_tell(netlink, repeat_neighbour(capacity, &entry->neighbours[i]));

		if (error < 0)
			return fail(-error, "setting a permanent neighbour");
	}
	return 0;
}

bool net_tables_has_link_local(const void *arg, uint32_t index)
{
	const struct net_tables *tables = arg;
	const struct nlmsghdr *message;

	rtnetlink_for_each(message, tables->addresses.data, tables->addresses.size)
	{
		const struct ifaddrmsg *address = mnl_nlmsg_get_payload(message);

		if (address->ifa_family == AF_INET6 && address->ifa_index == index &&
		    address->ifa_scope == RT_SCOPE_LINK)
			return true;
	}
	return false;
}

int net_tables_restore(struct pool *pool, struct netlink *netlink, const struct net_tables *tables,
		       const NetnsEntry *entry)
{
	TRY(restore_addresses(pool, netlink, &tables->addresses));
	TRY(restore_rules(netlink, &tables->rules));
	TRY(restore_routes(netlink, &tables->routes, false));
	TRY(restore_routes(netlink, &tables->routes6, false));
	TRY(net_nexthops_restore(netlink, entry));
	TRY(restore_routes(netlink, &tables->routes, true));
	TRY(restore_routes(netlink, &tables->routes6, true));
	return restore_neighbours(netlink, entry);
}
