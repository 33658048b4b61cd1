/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nexthop objects: routes name them by number. Some are groups of others. The kernel is given again what it has told,
 * but for what it keeps by itself.
 */
#include "object/net/nexthop.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/nexthop.h>
#include <string.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/pool.h"
#include "kern/net/netlink.h"
#include "kern/net/rtnetlink.h"
#include "object/net/link/link.h"

static bool is_of_given(const struct nlmsghdr *message, const struct net_given *given)
{
	const struct nlattr *parts[NHA_MAX + 1] = { 0 };

	rtnetlink_parse(message, sizeof(struct nhmsg), parts, NHA_MAX + 1);
	return parts[NHA_OIF] && net_is_given(given, mnl_attr_get_u32(parts[NHA_OIF]));
}

int net_nexthops_dump(struct pool *pool, struct netlink *netlink, const struct net_given *given, NetnsEntry *entry)
{
	AUTO(buffer_done) struct buffer messages = { 0 };
	const struct nhmsg header = { .nh_family = AF_UNSPEC };
	const struct nlmsghdr *message;
	size_t n = 0;
	int error = rtnetlink_dump(netlink, RTM_GETNEXTHOP, &header, sizeof(header), NULL, &messages);

	if (error < 0)
		return fail(-error, "asking for the nexthop objects (ip nexthop)");
	rtnetlink_for_each(message, messages.data, messages.size) n++;
	entry->nexthops = pool_array(pool, ProtobufCBinaryData, n);
	rtnetlink_for_each(message, messages.data, messages.size)
	{
		ProtobufCBinaryData *to = &entry->nexthops[entry->n_nexthops];

		if (is_of_given(message, given))
			continue;
		to->len = mnl_nlmsg_get_payload_len(message);
		to->data = pool_copy(pool, mnl_nlmsg_get_payload(message), to->len);
		entry->n_nexthops++;
	}
	return 0;
}

/* --- restore --- */

int net_nexthops_check(const NetnsEntry *entry)
{
	for (size_t i = 0; i < entry->n_nexthops; i++)
		if (!rtnetlink_payload_is_sound(entry->nexthops[i].data, entry->nexthops[i].len, sizeof(struct nhmsg)))
			return refuse(EINVAL, "netns image: nexthop object %zu makes no sense", i);
	return 0;
}

#define NHA_HW_STATS_ENABLE_ 16 /* Linux 6.9 */

/* Others say how an answer is meant. */
static bool can_be_set(uint16_t type)
{
	return type <= NHA_OIF || type == NHA_GATEWAY || type == NHA_ENCAP_TYPE || type == NHA_ENCAP ||
	       type == NHA_FDB || type == NHA_HW_STATS_ENABLE_;
}

/* The kernel tells what packets are wrapped into without the flag that it wants to see. */
static uint16_t nested_type(const struct nlattr *part)
{
	return (uint16_t)(part->nla_type | (mnl_attr_get_type(part) == NHA_ENCAP ? NLA_F_NESTED : 0));
}

/* For how long a resilient group has been out of balance is the kernel's own. */
static void put_resilience(struct nlmsghdr *request, const struct nlattr *told)
{
	struct nlattr *nest = mnl_attr_nest_start(request, NHA_RES_GROUP);
	const struct nlattr *part;

	mnl_attr_for_each_nested(part, told) if (mnl_attr_get_type(part) >= NHA_RES_GROUP_BUCKETS &&
						 mnl_attr_get_type(part) <= NHA_RES_GROUP_UNBALANCED_TIMER)
		mnl_attr_put(request, mnl_attr_get_type(part), mnl_attr_get_payload_len(part),
			     mnl_attr_get_payload(part));
	mnl_attr_nest_end(request, nest);
}

static int add_nexthop(struct netlink *netlink, const ProtobufCBinaryData *saved)
{
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8))),
		told[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	const struct nlmsghdr *message = rtnetlink_begin(told, RTM_NEWNEXTHOP, 0, saved->data, saved->len);
	const struct nhmsg *from = mnl_nlmsg_get_payload(message);
	const struct nhmsg header = { .nh_family = from->nh_family,
				      .nh_protocol = from->nh_protocol,
				      .nh_flags = from->nh_flags & RTNH_F_ONLINK };
	struct nlmsghdr *request =
		rtnetlink_begin(capacity, RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
	const struct nlattr *part;

	mnl_attr_for_each(part, message, sizeof(header))
	{
		if (mnl_attr_get_type(part) == NHA_RES_GROUP)
			put_resilience(request, part);
		else if (can_be_set(mnl_attr_get_type(part)))
			mnl_attr_put(request, nested_type(part), mnl_attr_get_payload_len(part),
				     mnl_attr_get_payload(part));
	}
	return rtnetlink_tell(netlink, request);
}

static uint32_t number_of(const ProtobufCBinaryData *saved)
{
	const ProtobufCBinaryData attributes = { saved->len - sizeof(struct nhmsg),
						 saved->data + sizeof(struct nhmsg) };
	const struct nlattr *id = link_kept_attribute(&attributes, NHA_ID);

	return id ? mnl_attr_get_u32(id) : 0;
}

/* Groups come after their members. */
int net_nexthops_restore(struct netlink *netlink, const NetnsEntry *entry)
{
	size_t left = entry->n_nexthops, before = left + 1;
	AUTO_FREE bool *done = xzalloc(left + 1);
	int last = 0;
	uint32_t id = 0;

	while (left && left < before) {
		before = left;
		for (size_t i = 0; i < entry->n_nexthops; i++) {
			int error = done[i] ? -EALREADY : add_nexthop(netlink, &entry->nexthops[i]);

			done[i] |= error == 0;
			left -= error == 0;
			if (!done[i]) {
				last = error;
				id = number_of(&entry->nexthops[i]);
			}
		}
	}
	return left ? fail(-last, "making nexthop object %u (ip nexthop), one of %zu that the kernel does not take", id,
			   left)
		    : 0;
}
