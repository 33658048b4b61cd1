/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses, routes, rules, neighbours: from the kernel to their images. */
#include "object/net/address.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "image/payload.h"
#include "kern/net/netlink.h"
#include "kern/net/rtnetlink.h"
#include "object/net/link/link.h"
#include "object/net/nexthop.h"
#include "object/net/tables.h"

/* What the kernel makes of addresses comes again with them. */
static bool want_route(const struct nlmsghdr *message)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	const struct nlattr *parts[RTA_MAX + 1] = { 0 };
	uint32_t table = route->rtm_table;

	if (route->rtm_flags & RTM_F_CLONED)
		return false;
	rtnetlink_parse(message, sizeof(*route), parts, RTA_MAX + 1);
	if (parts[RTA_TABLE])
		table = mnl_attr_get_u32(parts[RTA_TABLE]);
	return table != RT_TABLE_LOCAL || route->rtm_protocol != RTPROT_KERNEL;
}

/* IPv4 rules as the tool saves them; of IPv6 those that are not there from the beginning. */
static bool want_rule(const struct nlmsghdr *message)
{
	const struct fib_rule_hdr *rule = mnl_nlmsg_get_payload(message);
	const struct nlattr *parts[FRA_MAX + 1] = { 0 };
	uint32_t priority;

	if (rule->family == AF_INET)
		return true;
	if (rule->family != AF_INET6)
		return false;
	rtnetlink_parse(message, sizeof(*rule), parts, FRA_MAX + 1);
	priority = parts[FRA_PRIORITY] ? mnl_attr_get_u32(parts[FRA_PRIORITY]) : 0;
	return !((priority == 0 && rule->table == RT_TABLE_LOCAL) ||
		 (priority == 32766 && rule->table == RT_TABLE_MAIN));
}

static bool want_neighbour(const struct nlmsghdr *message)
{
	const struct ndmsg *neighbour = mnl_nlmsg_get_payload(message);

	if (neighbour->ndm_family != AF_INET && neighbour->ndm_family != AF_INET6)
		return false;
	return neighbour->ndm_state & NUD_PERMANENT || neighbour->ndm_flags & NTF_PROXY;
}

static bool goes_by_given(const struct nlattr *multipath, const struct net_given *given)
{
	const char *at = mnl_attr_get_payload(multipath);
	size_t left = mnl_attr_get_payload_len(multipath);

	while (left >= sizeof(struct rtnexthop)) {
		const struct rtnexthop *hop = (const struct rtnexthop *)at;

		if (hop->rtnh_len < sizeof(*hop) || (size_t)RTNH_ALIGN(hop->rtnh_len) > left)
			break;
		if (net_is_given(given, (uint32_t)hop->rtnh_ifindex))
			return true;
		at += RTNH_ALIGN(hop->rtnh_len);
		left -= RTNH_ALIGN(hop->rtnh_len);
	}
	return false;
}

/* Who gives the device again gives it its addresses and routes. */
static bool is_of_given(const struct nlmsghdr *message, const struct net_given *given)
{
	const struct nlattr *parts[RTA_MAX + 1] = { 0 };

	switch (message->nlmsg_type) {
	case RTM_NEWADDR:
		return net_is_given(given, ((const struct ifaddrmsg *)mnl_nlmsg_get_payload(message))->ifa_index);
	case RTM_NEWNEIGH:
		return net_is_given(given,
				    (uint32_t)((const struct ndmsg *)mnl_nlmsg_get_payload(message))->ndm_ifindex);
	case RTM_NEWROUTE:
		rtnetlink_parse(message, sizeof(struct rtmsg), parts, RTA_MAX + 1);
		return (parts[RTA_OIF] && net_is_given(given, mnl_attr_get_u32(parts[RTA_OIF]))) ||
		       (parts[RTA_MULTIPATH] && goes_by_given(parts[RTA_MULTIPATH], given));
	}
	return false;
}

static void drop_given(struct buffer *messages, const struct net_given *given)
{
	struct buffer kept = { 0 };
	const struct nlmsghdr *message;

	if (!given->n)
		return;
	rtnetlink_for_each(message, messages->data, messages->size) if (!is_of_given(message, given))
		buffer_append(&kept, message, NLMSG_ALIGN(message->nlmsg_len));
	buffer_done(messages);
	*messages = kept;
}

static int ask_table(struct netlink *netlink, const struct net_table *table, const struct net_given *given,
		     struct buffer *to)
{
	const union {
		struct ifaddrmsg address;
		struct rtmsg route;
		struct fib_rule_hdr rule;
	} header = { .route = { .rtm_family = (unsigned char)table->family } };
	bool (*wanted)(const struct nlmsghdr *) = NULL;
	int error;

	if (table->type == RTM_NEWROUTE)
		wanted = want_route;
	if (table->type == RTM_NEWRULE)
		wanted = want_rule;
	error = rtnetlink_dump(netlink, (uint16_t)(table->type + 2), &header, table->header, wanted, to);
	if (error == -EOPNOTSUPP || error == -EAFNOSUPPORT) /* no such family or no rules in this kernel */
		return 0;
	if (error == 0)
		drop_given(to, given);
	return error < 0 ? fail(-error, "asking for the %s", table->what) : 0;
}

static int dump_table(struct dump *d, struct netlink *netlink, const struct net_table *table, uint32_t id,
		      const struct net_given *given)
{
	AUTO(image_close) struct image *image = NULL;
	AUTO(buffer_done) struct buffer messages = { 0 };

	TRY(ask_table(netlink, table, given, &messages));
	TRY(image_create_number(dump_store(d), &image, table->image, (struct image_number){ id }));
	TRY(image_write_bytes(image, &table->word, sizeof(table->word)));
	TRY(image_write_bytes(image, messages.data, messages.size));
	return image_finish(&image);
}

/*
 * Entries that somebody has put into the table of a bridge, or of a vxlan device: for that they say where the others
 * are. The first one without an address of its own is made with the device, and put there again without harm.
 */
static bool want_forwarding(const struct nlmsghdr *message)
{
	const struct ndmsg *entry = mnl_nlmsg_get_payload(message);
	const struct nlattr *parts[NDA_MAX + 1] = { 0 };

	rtnetlink_parse(message, sizeof(*entry), parts, NDA_MAX + 1);
	if (parts[NDA_MASTER])
		return entry->ndm_state & NUD_NOARP || entry->ndm_flags & NTF_EXT_LEARNED;
	return (parts[NDA_DST] || parts[NDA_NH_ID]) && entry->ndm_flags & NTF_SELF &&
	       entry->ndm_state & (NUD_NOARP | NUD_PERMANENT);
}

static int dump_neighbours(struct pool *pool, struct netlink *netlink, const struct net_given *given, NetnsEntry *entry)
{
	AUTO(buffer_done) struct buffer messages = { 0 };
	const struct ndmsg plain = { .ndm_family = AF_UNSPEC },
			   proxy = { .ndm_family = AF_UNSPEC, .ndm_flags = NTF_PROXY };
	const struct ifinfomsg bridge = { .ifi_family = AF_BRIDGE };
	const struct nlmsghdr *message;
	size_t n = 0;
	int error = rtnetlink_dump(netlink, RTM_GETNEIGH, &plain, sizeof(plain), want_neighbour, &messages);

	if (error == 0)
		error = rtnetlink_dump(netlink, RTM_GETNEIGH, &proxy, sizeof(proxy), want_neighbour, &messages);
	if (error < 0)
		return fail(-error, "asking for the neighbours");
	/* It fails where the kernel knows neither bridges nor vxlan. */
	rtnetlink_dump(netlink, RTM_GETNEIGH, &bridge, sizeof(bridge), want_forwarding, &messages);
	drop_given(&messages, given);
	rtnetlink_for_each(message, messages.data, messages.size) n++;
	entry->neighbours = pool_array(pool, ProtobufCBinaryData, n);
	rtnetlink_for_each(message, messages.data, messages.size)
	{
		ProtobufCBinaryData *to = &entry->neighbours[entry->n_neighbours++];

		to->len = mnl_nlmsg_get_payload_len(message);
		to->data = pool_copy(pool, mnl_nlmsg_get_payload(message), to->len);
	}
	return 0;
}

int net_tables_dump(struct dump *d, struct netlink *netlink, uint32_t id, const struct net_given *given,
		    NetnsEntry *entry)
{
	for (const struct net_table *table = net_tables; table->what; table++)
		TRY(dump_table(d, netlink, table, id, given));
	TRY(net_nexthops_dump(d->pool, netlink, given, entry));
	return dump_neighbours(d->pool, netlink, given, entry);
}
