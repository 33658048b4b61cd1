/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages of nf_tables: what they are of, and the expressions of a rule. They are known to be sound. */
#pragma once

#include <netinet/in.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include <stdint.h>

#define NFT_TYPE(message) ((NFNL_SUBSYS_NFTABLES << 8) | (message))
/* Attribute 1 of all of them is the table. */
#define NFT_ATTRIBUTE_TABLE 1
#define NFT_ATTRIBUTES	    32 /* more than any of them has */

struct nft_expression {
	const char *name; /* "": none */
	const struct nlattr *data;
};

uint8_t nft_message_family(const struct nlmsghdr *message);
/* A text of the message; "" if it is not there. */
const char *nft_message_text(const struct nlmsghdr *message, uint16_t attribute);
/* A big-endian number; 0 if it is not there. */
uint32_t nft_message_number(const struct nlmsghdr *message, uint16_t attribute);
const char *nft_attribute_text(const struct nlattr *attribute);
uint32_t nft_attribute_number(const struct nlattr *attribute);
bool nft_is_same_table(const struct nlmsghdr *a, const struct nlmsghdr *b);
/* "ip", "ip6", ... as nft(8) calls them. */
const char *nft_family_name(uint8_t family);

/* The nest of a rule's expressions, or NULL. */
const struct nlattr *nft_rule_expressions(const struct nlmsghdr *rule);
struct nft_expression nft_expression(const struct nlattr *item);
#define nft_for_each_expression(item, rule)                                                \
	for (const struct nlattr *nest_ = nft_rule_expressions(rule); nest_; nest_ = NULL) \
	mnl_attr_for_each_nested(item, nest_)

/* "match" or "target": an extension of iptables. ret_name: which. */
bool nft_is_extension(const struct nft_expression *expression, const char **ret_name);
/* Where a verdict leads, "" if it leads nowhere. */
const char *nft_verdict_chain(const struct nft_expression *expression);
