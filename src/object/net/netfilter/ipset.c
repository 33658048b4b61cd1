/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IP sets (ipset(8)) of a network namespace: messages of the kernel as they came, with members, what is left of their
 * time, counters and comments. Rules name a set by its number, so each gets the one that it had.
 */
#include "object/net/netfilter/ipset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/pool.h"
#include "kern/net/netlink.h"
#include "kern/net/rtnetlink.h"
#include "session/session.h"

#define TYPE(command) ((NFNL_SUBSYS_IPSET << 8) | (command))
#define PARTS	      (IPSET_ATTR_CMD_MAX + 1)

static struct nlmsghdr *begin_request(void *capacity, uint16_t command, uint16_t flags)
{
	const struct nfgenmsg header = { .nfgen_family = AF_INET };
	struct nlmsghdr *request = rtnetlink_begin(capacity, TYPE(command), flags, &header, sizeof(header));

	mnl_attr_put_u8(request, IPSET_ATTR_PROTOCOL, IPSET_PROTOCOL);
	return request;
}

/* --- dump --- */

static int keep_message(void *arg, const struct nlmsghdr *message)
{
	buffer_append(arg, message, message->nlmsg_len);
	while (((struct buffer *)arg)->size % NLMSG_ALIGNTO)
		buffer_append(arg, "", 1);
	return 0;
}

int net_ipsets_collect(const struct dump *d, NetnsEntry *entry)
{
	char capacity[256] __attribute__((aligned(8)));
	AUTO(netlink_close) struct netlink *netlink = NULL;
	AUTO(buffer_done) struct buffer messages = { 0 };
	struct nlmsghdr *request;
	int error;

	if (access("/sys/module/ip_set", F_OK) < 0 || netlink_open(NETLINK_NETFILTER, &netlink) < 0)
		return 0; /* the question would load it */
	do {
		messages.size = 0;
		request = begin_request(capacity, IPSET_CMD_LIST, NLM_F_DUMP);
		request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
		error = netlink_ask(netlink, request, keep_message, &messages);
	} while (error == -EINTR);
	if (error < 0 && error != -ENOENT)
		return fail(-error, "asking for the IP sets (ipset list)");
	entry->has_ip_sets = messages.size > 0;
	entry->ip_sets.len = messages.size;
	entry->ip_sets.data = pool_copy(d->pool, messages.data, messages.size);
	return 0;
}

/* --- restore --- */

/* A set, or more members of it: then it has no type. */
struct set_message {
	const char *name, *type;
	const struct nlattr *parts[PARTS];
};

static const char *attribute_text(const struct nlattr *attribute)
{
	return attribute && memchr(mnl_attr_get_payload(attribute), '\0', mnl_attr_get_payload_len(attribute))
		       ? mnl_attr_get_str(attribute)
		       : NULL;
}

static struct set_message parse_set(const struct nlmsghdr *message)
{
	struct set_message set = { 0 };

	rtnetlink_parse(message, sizeof(struct nfgenmsg), set.parts, PARTS);
	set.name = attribute_text(set.parts[IPSET_ATTR_SETNAME]);
	set.type = attribute_text(set.parts[IPSET_ATTR_TYPENAME]);
	return set;
}

static unsigned index_of(const struct set_message *set)
{
	return ntohs(mnl_attr_get_u16(set->parts[IPSET_ATTR_INDEX]));
}

static bool is_whole(const struct set_message *set)
{
	static const uint16_t numbers[] = { IPSET_ATTR_REVISION, IPSET_ATTR_FAMILY };

	if (!set->name || strlen(set->name) >= IPSET_MAXNAMELEN)
		return false;
	if (!set->type)
		return true;
	for (size_t i = 0; i < 2; i++)
		if (!set->parts[numbers[i]] || mnl_attr_get_payload_len(set->parts[numbers[i]]) != 1)
			return false;
	return set->parts[IPSET_ATTR_DATA] && set->parts[IPSET_ATTR_INDEX] &&
	       mnl_attr_get_payload_len(set->parts[IPSET_ATTR_INDEX]) == sizeof(uint16_t);
}

static bool is_list(uint16_t type)
{
	return type == TYPE(IPSET_CMD_LIST);
}

int net_ipsets_check(const NetnsEntry *entry)
{
	const struct nlmsghdr *message;

	if (!entry->has_ip_sets)
		return 0;
	if (!rtnetlink_are_sound(entry->ip_sets.data, entry->ip_sets.len, is_list, sizeof(struct nfgenmsg)))
		return refuse(EINVAL, "the messages with IP sets are damaged");
	rtnetlink_for_each(message, entry->ip_sets.data, entry->ip_sets.len)
	{
		const struct set_message set = parse_set(message);

		if (!is_whole(&set))
			return refuse(EINVAL, "a message with an IP set lacks something");
	}
	return 0;
}

/* Addresses, the only nests in there, are told without the mark of their byte order, and taken with it only. */
static void mark_addresses(const struct nlattr *data)
{
	struct nlattr *part, *address;

	mnl_attr_for_each_nested(part, data)
	{
		if (!(part->nla_type & NLA_F_NESTED))
			continue;
		mnl_attr_for_each_nested(address, part) address->nla_type |= NLA_F_NET_BYTEORDER;
	}
}

/* What the kernel tells beside may not be told to it. */
static void put_settings(struct nlmsghdr *request, const struct nlattr *settings)
{
	struct nlattr *nest = mnl_attr_nest_start(request, IPSET_ATTR_DATA);
	const struct nlattr *part;

	mnl_attr_for_each_nested(part, settings)
	{
		uint16_t type = mnl_attr_get_type(part);

		if (type != IPSET_ATTR_ELEMENTS && type != IPSET_ATTR_REFERENCES && type != IPSET_ATTR_MEMSIZE)
			mnl_attr_put(request, part->nla_type, mnl_attr_get_payload_len(part),
				     mnl_attr_get_payload(part));
	}
	mnl_attr_nest_end(request, nest);
	mark_addresses(nest);
}

/* It has errors of its own. */
static int fail_ipset(int error, const char *what, const char *name)
{
	if (error > IPSET_ERR_PRIVATE)
		return fail(EINVAL,
			    "%s the IP set %s: the kernel says %d: has it the same type (ip_set_*, ipset list)?", what,
			    name, error);
	return fail(error, "%s the IP set %s: has this kernel the modules of its type (ip_set_*)?", what, name);
}

static int create_set(struct netlink *netlink, const struct set_message *set, const char *name)
{
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	struct nlmsghdr *request = begin_request(capacity, IPSET_CMD_CREATE, NLM_F_CREATE | NLM_F_EXCL);
	int error;

	if (mnl_attr_get_payload_len(set->parts[IPSET_ATTR_DATA]) > RTNETLINK_CAPACITY / 2)
		return refuse(EINVAL, "the settings of IP set %s are too large", set->name);
	mnl_attr_put_strz(request, IPSET_ATTR_SETNAME, name);
	mnl_attr_put_strz(request, IPSET_ATTR_TYPENAME, set->type);
	mnl_attr_put_u8(request, IPSET_ATTR_REVISION, mnl_attr_get_u8(set->parts[IPSET_ATTR_REVISION]));
	mnl_attr_put_u8(request, IPSET_ATTR_FAMILY, mnl_attr_get_u8(set->parts[IPSET_ATTR_FAMILY]));
	put_settings(request, set->parts[IPSET_ATTR_DATA]);
	error = rtnetlink_tell(netlink, request);
	return error < 0 ? fail_ipset(-error, "making", set->name) : 0;
}

/* In the place of one that is gone: the kernel gives the lowest number that is free. */
static void name_filler(unsigned index, char to[IPSET_MAXNAMELEN])
{
	snprintf(to, IPSET_MAXNAMELEN, "criu-%u-%d", index, getpid());
}

static int destroy_filler(struct netlink *netlink, unsigned index)
{
	char capacity[256] __attribute__((aligned(8))), name[IPSET_MAXNAMELEN];
	struct nlmsghdr *request = begin_request(capacity, IPSET_CMD_DESTROY, 0);
	int error;

	name_filler(index, name);
	mnl_attr_put_strz(request, IPSET_ATTR_SETNAME, name);
	error = rtnetlink_tell(netlink, request);
	return error < 0 ? fail(-error, "removing the IP set %s", name) : 0;
}

/* By number; the caller frees it. */
static const struct nlmsghdr **list_sets(const NetnsEntry *entry, unsigned *ret_last)
{
	const struct nlmsghdr **sets = xzalloc((IPSET_INVALID_ID + 1) * sizeof(*sets)), *message;

	*ret_last = 0;
	rtnetlink_for_each(message, entry->ip_sets.data, entry->ip_sets.len)
	{
		const struct set_message set = parse_set(message);

		if (!set.type)
			continue;
		sets[index_of(&set)] = message;
		if (index_of(&set) > *ret_last)
			*ret_last = index_of(&set);
	}
	return sets;
}

static int create_sets(struct netlink *netlink, const NetnsEntry *entry)
{
	unsigned last;
	AUTO_FREE const struct nlmsghdr **sets = list_sets(entry, &last);

	for (unsigned index = 0; index <= last && sets[last]; index++) {
		const struct set_message set = parse_set(sets[index] ?: sets[last]);
		char name[IPSET_MAXNAMELEN];

		name_filler(index, name);
		TRY(create_set(netlink, &set, sets[index] ? set.name : name));
	}
	for (unsigned index = 0; index < last; index++)
		if (!sets[index])
			TRY(destroy_filler(netlink, index));
	return 0;
}

static int add_members(struct netlink *netlink, const struct set_message *set)
{
	const struct nlattr *members = set->parts[IPSET_ATTR_ADT];
	const size_t size = members ? mnl_attr_get_payload_len(members) : 0;
	AUTO_FREE char *capacity = xzalloc(RTNETLINK_CAPACITY + size);
	struct nlmsghdr *request = begin_request(capacity, IPSET_CMD_ADD, 0);
	const struct nlattr *copy, *member;
	int error;

	if (!size)
		return 0;
	mnl_attr_put_strz(request, IPSET_ATTR_SETNAME, set->name);
	mnl_attr_put_u32(request, IPSET_ATTR_LINENO, 0);
	copy = mnl_nlmsg_get_payload_tail(request);
	mnl_attr_put(request, members->nla_type, size, mnl_attr_get_payload(members));
	mnl_attr_for_each_nested(member, copy) mark_addresses(member);
	error = rtnetlink_tell(netlink, request);
	return error < 0 ? fail_ipset(-error, "adding members to", set->name) : 0;
}

/* Members of lists are sets. The type stands in the first message of each set only. */
static int fill_sets(struct netlink *netlink, const NetnsEntry *entry, bool lists)
{
	const struct nlmsghdr *message;
	bool listed = false;

	rtnetlink_for_each(message, entry->ip_sets.data, entry->ip_sets.len)
	{
		const struct set_message set = parse_set(message);

		if (set.type)
			listed = !strcmp(set.type, "list:set");
		if (listed == lists)
			TRY(add_members(netlink, &set));
	}
	return 0;
}

int net_ipsets_restore(const NetnsEntry *entry)
{
	AUTO(netlink_close) struct netlink *netlink = NULL;
	int error;

	if (!entry->has_ip_sets)
		return 0;
	error = netlink_open(NETLINK_NETFILTER, &netlink);
	if (error < 0)
		return fail(-error, "opening a netfilter socket");
	TRY(create_sets(netlink, entry));
	TRY(fill_sets(netlink, entry, false));
	return fill_sets(netlink, entry, true);
}
