/* SPDX-License-Identifier: GPL-2.0-only */
/* Tables that iptables-nft had made: made again from the kernel's messages, in one transaction. */
#include "object/net/netfilter/iptables-nft-restore.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/text.h"
#include "kern/net/netlink.h"
#include "kern/net/rtnetlink.h"
#include "kern/syscalls.h"
#include "object/net/netfilter/iptables-nft.h"
#include "object/net/netfilter/message.h"

#define BIT(attribute) (1U << (attribute))

/* What the kernel tells but gives itself: handles, counts of users. */
static uint32_t attributes_of_kernel(uint16_t type)
{
	switch (type) {
	case NFT_TYPE(NFT_MSG_NEWTABLE):
		return BIT(NFTA_TABLE_USE) | BIT(NFTA_TABLE_HANDLE) | BIT(NFTA_TABLE_PAD);
	case NFT_TYPE(NFT_MSG_NEWCHAIN):
		return BIT(NFTA_CHAIN_USE) | BIT(NFTA_CHAIN_HANDLE) | BIT(NFTA_CHAIN_PAD);
	case NFT_TYPE(NFT_MSG_NEWFLOWTABLE):
		return BIT(NFTA_FLOWTABLE_USE) | BIT(NFTA_FLOWTABLE_HANDLE) | BIT(NFTA_FLOWTABLE_PAD);
	case NFT_TYPE(NFT_MSG_NEWOBJ):
		return BIT(NFTA_OBJ_USE) | BIT(NFTA_OBJ_HANDLE) | BIT(NFTA_OBJ_PAD);
	case NFT_TYPE(NFT_MSG_NEWSET):
		return BIT(NFTA_SET_HANDLE) | BIT(NFTA_SET_PAD) | BIT(NFT_SET_ATTRIBUTE_TYPE) |
		       BIT(NFT_SET_ATTRIBUTE_COUNT);
	case NFT_TYPE(NFT_MSG_NEWRULE):
		return BIT(NFTA_RULE_HANDLE) | BIT(NFTA_RULE_POSITION) | BIT(NFTA_RULE_PAD);
	default:
		return 0;
	}
}

/* --- what the kernel wants to be told and does not tell --- */

struct protocol {
	uint32_t number, flags;	    /* 0: any; NFT_RULE_COMPAT_F_INV: all others */
	const struct nlattr *loads; /* the register that holds that of the packet */
	bool extensions;
};

/* iptables compares the protocol before all else; an extension like "tcp" is taken only with that of its own. */
static bool loads_protocol(uint8_t family, const char *name, const struct nlattr *const *parts)
{
	const bool bridge = family == NFPROTO_BRIDGE;
	uint32_t base, offset;

	if (strcmp(name, "meta") == 0)
		return nft_attribute_number(parts[NFTA_META_KEY]) == (bridge ? NFT_META_PROTOCOL : NFT_META_L4PROTO);
	if (strcmp(name, "payload") != 0)
		return false;
	base = nft_attribute_number(parts[NFTA_PAYLOAD_BASE]);
	offset = nft_attribute_number(parts[NFTA_PAYLOAD_OFFSET]);
	if (bridge)
		return base == NFT_PAYLOAD_LL_HEADER && offset == 12 &&
		       nft_attribute_number(parts[NFTA_PAYLOAD_LEN]) == 2;
	return base == NFT_PAYLOAD_NETWORK_HEADER && offset == (family == NFPROTO_IPV6 ? 6 : 9) &&
	       nft_attribute_number(parts[NFTA_PAYLOAD_LEN]) == 1;
}

static void read_comparison(struct protocol *protocol, const struct nlattr *const *parts)
{
	const struct nlattr *data[NFTA_DATA_MAX + 1] = { 0 };
	uint32_t operator= nft_attribute_number(parts[NFTA_CMP_OP]);
	uint16_t size;

	rtnetlink_parse_nested(parts[NFTA_CMP_DATA], data, NFTA_DATA_MAX + 1);
	size = data[NFTA_DATA_VALUE] ? mnl_attr_get_payload_len(data[NFTA_DATA_VALUE]) : 0;
	if (operator> NFT_CMP_NEQ || size<1 || size> 2)
		return;
	/* Of a bridge as the packet has it, big-endian. */
	protocol->number = size == 2 ? mnl_attr_get_u16(data[NFTA_DATA_VALUE]) : mnl_attr_get_u8(data[NFTA_DATA_VALUE]);
	protocol->flags = operator== NFT_CMP_NEQ ? NFT_RULE_COMPAT_F_INV : 0;
}

static void look_at(struct protocol *protocol, uint8_t family, const struct nft_expression *expression)
{
	/* The destination is attribute 1 of whatever loads a register, the source attribute 1 of a comparison. */
	const struct nlattr *parts[NFT_ATTRIBUTES] = { 0 };
	const char *name;

	protocol->extensions |= nft_is_extension(expression, &name);
	rtnetlink_parse_nested(expression->data, parts, NFT_ATTRIBUTES);
	if (strcmp(expression->name, "cmp") == 0) {
		if (protocol->loads && !protocol->number &&
		    nft_attribute_number(protocol->loads) == nft_attribute_number(parts[NFTA_CMP_SREG]))
			read_comparison(protocol, parts);
		return;
	}
	if (loads_protocol(family, expression->name, parts))
		protocol->loads = parts[strcmp(expression->name, "meta") ? NFTA_PAYLOAD_DREG : NFTA_META_DREG];
	else if (protocol->loads)
		protocol->loads = NULL;
}

static struct protocol find_protocol(const struct nlmsghdr *rule)
{
	struct protocol protocol = { 0 };
	const struct nlattr *item;

	nft_for_each_expression(item, rule)
	{
		struct nft_expression expression = nft_expression(item);

		look_at(&protocol, nft_message_family(rule), &expression);
	}
	return protocol;
}

static void add_attribute(struct buffer *to, uint16_t type, const void *data, size_t size)
{
	const struct nlattr attribute = { .nla_type = type, .nla_len = (uint16_t)(MNL_ATTR_HDRLEN + size) };
	char *at = buffer_extend(to, MNL_ALIGN(attribute.nla_len));

	memcpy(at, &attribute, sizeof(attribute));
	memcpy(at + MNL_ATTR_HDRLEN, data, size);
}

static void add_protocol(struct buffer *to, const struct nlmsghdr *rule)
{
	const struct protocol protocol = find_protocol(rule);
	const struct {
		struct nlattr head;
		uint32_t value;
	} parts[] = {
		{ { sizeof(parts[0]), NFTA_RULE_COMPAT_PROTO }, htonl(protocol.number) },
		{ { sizeof(parts[0]), NFTA_RULE_COMPAT_FLAGS }, htonl(protocol.flags) },
	};

	if (protocol.extensions && protocol.number)
		add_attribute(to, NFTA_RULE_COMPAT | NLA_F_NESTED, parts, sizeof(parts));
}

/* --- requests --- */

static void begin_message(struct buffer *to, uint16_t type, uint16_t flags, struct nfgenmsg header, uint32_t number)
{
	const struct nlmsghdr message = {
		.nlmsg_type = type,
		.nlmsg_flags = NLM_F_REQUEST | flags,
		.nlmsg_seq = number,
		.nlmsg_len = NLMSG_ALIGN(sizeof(message)) + sizeof(header),
	};

	buffer_append(to, &message, NLMSG_ALIGN(sizeof(message)));
	buffer_append(to, &header, NLMSG_ALIGN(sizeof(header)));
}

static void add_limit(struct buffer *to, uint16_t type)
{
	begin_message(to, type, 0, (struct nfgenmsg){ .res_id = htons(NFNL_SUBSYS_NFTABLES) }, 0);
}

/* number: of the message, from 1. */
static void add_request(struct buffer *to, const struct nlmsghdr *saved, uint32_t number)
{
	const size_t start = to->size;
	const uint32_t left_out = attributes_of_kernel(saved->nlmsg_type), id = htonl(number);
	const bool rule = saved->nlmsg_type == NFT_TYPE(NFT_MSG_NEWRULE);
	const struct nlattr *attribute;

	begin_message(to, saved->nlmsg_type, (uint16_t)(NLM_F_CREATE | (rule ? NLM_F_APPEND : 0)),
		      (struct nfgenmsg){ .nfgen_family = nft_message_family(saved) }, number);
	mnl_attr_for_each(attribute, saved, sizeof(struct nfgenmsg))
	{
		uint16_t type = mnl_attr_get_type(attribute);

		if (type >= NFT_ATTRIBUTES || !(left_out & BIT(type)))
			add_attribute(to, attribute->nla_type, mnl_attr_get_payload(attribute),
				      mnl_attr_get_payload_len(attribute));
	}
	if (rule)
		add_protocol(to, saved);
	if (saved->nlmsg_type == NFT_TYPE(NFT_MSG_NEWSET))
		add_attribute(to, NFTA_SET_ID, &id, sizeof(id));
	((struct nlmsghdr *)(to->data + start))->nlmsg_len = (uint32_t)(to->size - start);
}

/* --- rules of others --- */

static void forget_counters(const struct nlmsghdr *rule)
{
	const struct nlattr *item;

	nft_for_each_expression(item, rule)
	{
		struct nft_expression expression = nft_expression(item);

		if (strcmp(expression.name, "counter") == 0 && expression.data)
			memset(mnl_attr_get_payload(expression.data), 0, mnl_attr_get_payload_len(expression.data));
	}
}

/* But for what counters have counted. */
static bool is_same_rule(const struct nlmsghdr *a, const struct nlmsghdr *b)
{
	AUTO(buffer_done) struct buffer first = { 0 }, second = { 0 };

	add_request(&first, a, 0);
	add_request(&second, b, 0);
	forget_counters((const struct nlmsghdr *)first.data);
	forget_counters((const struct nlmsghdr *)second.data);
	return first.size == second.size && !memcmp(first.data, second.data, first.size);
}

static const struct nlmsghdr *find_named(const struct buffer *now, uint16_t type, uint16_t attribute,
					 const struct nlmsghdr *like, uint16_t named_by)
{
	const char *name = nft_message_text(like, named_by);
	const struct nlmsghdr *message;

	rtnetlink_for_each(message, now->data, now->size)
	{
		if (message->nlmsg_type == type && nft_is_same_table(message, like) &&
		    strcmp(nft_message_text(message, attribute), name) == 0)
			return message;
	}
	return NULL;
}

static bool has_rule(const struct buffer *now, const struct nlmsghdr *rule)
{
	const struct nlmsghdr *message;

	rtnetlink_for_each(message, now->data, now->size)
	{
		if (message->nlmsg_type == NFT_TYPE(NFT_MSG_NEWRULE) && nft_is_same_table(message, rule) &&
		    strcmp(nft_message_text(message, NFTA_RULE_CHAIN), nft_message_text(rule, NFTA_RULE_CHAIN)) == 0 &&
		    is_same_rule(message, rule))
			return true;
	}
	return false;
}

/* Of a chain that others have made for themselves they know best what is to be in it. */
static bool is_known(const struct buffer *now, const struct nlmsghdr *saved)
{
	const uint16_t by = saved->nlmsg_type == NFT_TYPE(NFT_MSG_NEWRULE) ? NFTA_RULE_CHAIN : NFTA_CHAIN_NAME;
	const struct nlmsghdr *chain;

	if (saved->nlmsg_type != NFT_TYPE(NFT_MSG_NEWRULE) && saved->nlmsg_type != NFT_TYPE(NFT_MSG_NEWCHAIN))
		return false;
	chain = find_named(now, NFT_TYPE(NFT_MSG_NEWCHAIN), NFTA_CHAIN_NAME, saved, by);
	if (!chain)
		return false;
	if (!(nft_message_number(chain, NFTA_CHAIN_FLAGS) & NFT_CHAIN_BASE))
		return true;
	return saved->nlmsg_type == NFT_TYPE(NFT_MSG_NEWRULE) && has_rule(now, saved);
}

/* --- all --- */

/* "a rule with the extension tcp of chain INPUT" */
static void name_rule(const struct nlmsghdr *rule, struct buffer *to)
{
	const struct nlattr *item;
	const char *extension = NULL;

	nft_for_each_expression(item, rule)
	{
		struct nft_expression expression = nft_expression(item);

		if (!extension)
			(void)nft_is_extension(&expression, &extension);
	}
	buffer_printf(to, "a rule%s%s of chain %s of ", extension ? " with the extension " : "", extension ?: "",
		      nft_message_text(rule, NFTA_RULE_CHAIN));
}

static void name_object(const struct nlmsghdr *message, struct buffer *to)
{
	static const struct {
		uint16_t type, attribute;
		const char *name;
	} kinds[] = {
		{ NFT_TYPE(NFT_MSG_NEWCHAIN), NFTA_CHAIN_NAME, "chain" },
		{ NFT_TYPE(NFT_MSG_NEWFLOWTABLE), NFTA_FLOWTABLE_NAME, "flowtable" },
		{ NFT_TYPE(NFT_MSG_NEWOBJ), NFTA_OBJ_NAME, "object" },
		{ NFT_TYPE(NFT_MSG_NEWSET), NFTA_SET_NAME, "set" },
		{ NFT_TYPE(NFT_MSG_NEWSETELEM), NFTA_SET_ELEM_LIST_SET, "the elements of set" },
	};

	if (message->nlmsg_type == NFT_TYPE(NFT_MSG_NEWRULE))
		name_rule(message, to);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (message->nlmsg_type == kinds[i].type)
			buffer_printf(to, "%s %s of ", kinds[i].name, nft_message_text(message, kinds[i].attribute));
	buffer_printf(to, "table %s %s", nft_family_name(nft_message_family(message)),
		      nft_message_text(message, NFT_ATTRIBUTE_TABLE));
}

static int tell_refused(const struct buffer *messages, unsigned number, int error)
{
	AUTO(buffer_done) struct buffer name = { 0 };
	const struct nlmsghdr *message;
	unsigned count = 0;

	rtnetlink_for_each(message, messages->data, messages->size)
	{
		if (++count == number)
			name_object(message, &name);
	}
	return fail(-error, "restoring %s, which iptables-nft had made: can this kernel do it?",
		    name.data ?: "the tables of nftables");
}

static void add_requests(struct buffer *to, const struct buffer *messages, const struct nlmsghdr *table,
			 const struct buffer *now)
{
	const struct nlmsghdr *message;
	uint32_t number = 0;

	add_limit(to, NFNL_MSG_BATCH_BEGIN);
	rtnetlink_for_each(message, messages->data, messages->size)
	{
		number++;
		if (nft_is_same_table(message, table) && !is_known(now, message))
			add_request(to, message, number);
	}
	add_limit(to, NFNL_MSG_BATCH_END);
}

int net_iptables_nft_restore(const struct buffer *messages, const struct nlmsghdr *table, bool beside)
{
	AUTO(netlink_close) struct netlink *netlink = NULL;
	AUTO(buffer_done) struct buffer requests = { 0 }, now = { 0 };
	unsigned refused;
	int error;

	if (beside)
		TRY(net_iptables_nft_read(&now));
	add_requests(&requests, messages, table, &now);
	error = netlink_open(NETLINK_NETFILTER, &netlink);
	if (error < 0)
		return fail(-error, "opening a netfilter socket");
	error = netlink_send_batch(netlink, requests.data, requests.size, &refused);
	return error < 0 ? tell_refused(messages, refused, error) : 0;
}

/* --- text --- */

char *net_iptables_nft_find_text(char *text, const struct nlmsghdr *table)
{
	char head[512];

	snprintf(head, sizeof(head), "table %s %s {", nft_family_name(nft_message_family(table)),
		 nft_message_text(table, NFTA_TABLE_NAME));
	while (*text && !text_starts(text, head)) {
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return *text ? text : NULL;
}

/* Its last line is the first with a bracket in front. */
static void drop_table(char *from)
{
	char *end = strstr(from, "\n}");

	if (!end) {
		*from = '\0';
		return;
	}
	end += strlen("\n}");
	end += *end == '\n';
	memmove(from, end, strlen(end) + 1);
}

void net_iptables_nft_drop_text(char *text, const struct buffer *messages)
{
	const struct nlmsghdr *table;

	net_iptables_nft_for_each(table, messages)
	{
		char *found = net_iptables_nft_find_text(text, table);

		if (found)
			drop_table(found);
	}
}
