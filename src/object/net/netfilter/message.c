/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages of nf_tables: what they are of, and the expressions of a rule. */
#include "object/net/netfilter/message.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <string.h>
#include <sys/socket.h>

#include "base/array.h"
#include "kern/net/rtnetlink.h"

#define HEADER sizeof(struct nfgenmsg)

uint8_t nft_message_family(const struct nlmsghdr *message)
{
	return ((const struct nfgenmsg *)mnl_nlmsg_get_payload(message))->nfgen_family;
}

const char *nft_attribute_text(const struct nlattr *attribute)
{
	const char *text = attribute ? mnl_attr_get_payload(attribute) : NULL;

	return text && memchr(text, '\0', mnl_attr_get_payload_len(attribute)) ? text : "";
}

uint32_t nft_attribute_number(const struct nlattr *attribute)
{
	if (!attribute || mnl_attr_get_payload_len(attribute) < sizeof(uint32_t))
		return 0;
	return ntohl(mnl_attr_get_u32(attribute));
}

static const struct nlattr *find_attribute(const struct nlmsghdr *message, uint16_t attribute)
{
	const struct nlattr *parts[NFT_ATTRIBUTES] = { 0 };

	rtnetlink_parse(message, HEADER, parts, NFT_ATTRIBUTES);
	return parts[attribute];
}

const char *nft_message_text(const struct nlmsghdr *message, uint16_t attribute)
{
	return nft_attribute_text(find_attribute(message, attribute));
}

uint32_t nft_message_number(const struct nlmsghdr *message, uint16_t attribute)
{
	return nft_attribute_number(find_attribute(message, attribute));
}

bool nft_is_same_table(const struct nlmsghdr *a, const struct nlmsghdr *b)
{
	return nft_message_family(a) == nft_message_family(b) &&
	       strcmp(nft_message_text(a, NFT_ATTRIBUTE_TABLE), nft_message_text(b, NFT_ATTRIBUTE_TABLE)) == 0;
}

const char *nft_family_name(uint8_t family)
{
	static const char *const names[] = {
		[NFPROTO_INET] = "inet",     [NFPROTO_IPV4] = "ip",	  [NFPROTO_ARP] = "arp",
		[NFPROTO_NETDEV] = "netdev", [NFPROTO_BRIDGE] = "bridge", [NFPROTO_IPV6] = "ip6"
	};

	return family < ARRAY_SIZE(names) && names[family] ? names[family] : "?";
}

const struct nlattr *nft_rule_expressions(const struct nlmsghdr *rule)
{
	return find_attribute(rule, NFTA_RULE_EXPRESSIONS);
}

struct nft_expression nft_expression(const struct nlattr *item)
{
	const struct nlattr *parts[NFTA_EXPR_MAX + 1] = { 0 };

	rtnetlink_parse_nested(item, parts, NFTA_EXPR_MAX + 1);
	return (struct nft_expression){ nft_attribute_text(parts[NFTA_EXPR_NAME]), parts[NFTA_EXPR_DATA] };
}

bool nft_is_extension(const struct nft_expression *expression, const char **ret_name)
{
	const struct nlattr *parts[NFTA_MATCH_MAX + 1] = { 0 };

	/* Both have the same attributes. */
	_Static_assert((int)NFTA_MATCH_NAME == (int)NFTA_TARGET_NAME, "names");
	if (strcmp(expression->name, "match") && strcmp(expression->name, "target"))
		return false;
	rtnetlink_parse_nested(expression->data, parts, NFTA_MATCH_MAX + 1);
	*ret_name = nft_attribute_text(parts[NFTA_MATCH_NAME]);
	return true;
}

const char *nft_verdict_chain(const struct nft_expression *expression)
{
	const struct nlattr *parts[NFTA_IMMEDIATE_MAX + 1] = { 0 }, *data[NFTA_DATA_MAX + 1] = { 0 },
							*verdict[NFTA_VERDICT_MAX + 1] = { 0 };

	if (strcmp(expression->name, "immediate"))
		return "";
	rtnetlink_parse_nested(expression->data, parts, NFTA_IMMEDIATE_MAX + 1);
	rtnetlink_parse_nested(parts[NFTA_IMMEDIATE_DATA], data, NFTA_DATA_MAX + 1);
	rtnetlink_parse_nested(data[NFTA_DATA_VERDICT], verdict, NFTA_VERDICT_MAX + 1);
	return nft_attribute_text(verdict[NFTA_VERDICT_CHAIN]);
}
