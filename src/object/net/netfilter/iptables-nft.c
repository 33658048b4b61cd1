/* SPDX-License-Identifier: GPL-2.0-only */
/* Tables that iptables-nft has made in nftables: found, read and kept as messages of the kernel. */
#include "object/net/netfilter/iptables-nft.h"

#include <errno.h>
#include <linux/netfilter/xt_bpf.h>
#include <string.h>
#include <sys/socket.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/pool.h"
#include "image/image.h"
#include "image/payload.h"
#include "kern/net/netlink.h"
#include "kern/net/rtnetlink.h"
#include "object/net/netfilter/message.h"
#include "session/loss.h"
#include "session/survey.h"

#define LOCK_CHAIN "CRIU" /* of a network lock by iptables */

/* In the order in which they can be made: each may name those before it. Elements follow their set. */
static const uint16_t gets[] = { NFT_MSG_GETTABLE, NFT_MSG_GETCHAIN, NFT_MSG_GETFLOWTABLE,
				 NFT_MSG_GETOBJ,   NFT_MSG_GETSET,   NFT_MSG_GETRULE };

static bool is_known_type(uint16_t type)
{
	static const uint16_t news[] = { NFT_MSG_NEWTABLE, NFT_MSG_NEWCHAIN,   NFT_MSG_NEWFLOWTABLE, NFT_MSG_NEWOBJ,
					 NFT_MSG_NEWSET,   NFT_MSG_NEWSETELEM, NFT_MSG_NEWRULE };

	for (size_t i = 0; i < ARRAY_SIZE(news); i++)
		if (type == NFT_TYPE(news[i]))
			return true;
	return false;
}

/* --- which tables --- */

static bool is_listed(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(name, *list) == 0)
			return true;
	return false;
}

/* Named as those of iptables are. */
static bool is_builtin_table(const struct nlmsghdr *table)
{
	static const char *const names[] = { "filter", "nat", "mangle", "raw", "security", "broute", NULL };
	const uint8_t family = nft_message_family(table);

	return (family == NFPROTO_IPV4 || family == NFPROTO_IPV6 || family == NFPROTO_ARP ||
		family == NFPROTO_BRIDGE) &&
	       is_listed(nft_message_text(table, NFTA_TABLE_NAME), names);
}

static bool is_builtin_chain(const struct nlmsghdr *chain)
{
	static const char *const names[] = {
		"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING", "BROUTING", NULL
	};

	return is_listed(nft_message_text(chain, NFTA_CHAIN_NAME), names);
}

static bool has_extension(const struct nlmsghdr *rule)
{
	const struct nlattr *item;
	const char *name;

	nft_for_each_expression(item, rule)
	{
		struct nft_expression expression = nft_expression(item);

		if (nft_is_extension(&expression, &name))
			return true;
	}
	return false;
}

/* What is known of all tables. */
struct ruleset {
	struct buffer parts[ARRAY_SIZE(gets)];
};

static void ruleset_done(struct ruleset *all)
{
	for (size_t i = 0; i < ARRAY_SIZE(gets); i++)
		buffer_done(&all->parts[i]);
}

static bool is_made_by_iptables(const struct ruleset *all, const struct nlmsghdr *table)
{
	const struct buffer *chains = &all->parts[1], *rules = &all->parts[ARRAY_SIZE(gets) - 1];
	bool builtin = is_builtin_table(table), any = false;
	const struct nlmsghdr *message;

	/* One that belongs to a socket cannot be made by another; chains without a name come with the rule that has
	 * them. iptables makes neither. */
	if (nft_message_number(table, NFTA_TABLE_FLAGS) & NFT_TABLE_F_OWNER)
		return false;
	rtnetlink_for_each(message, chains->data, chains->size)
	{
		uint32_t flags = nft_message_number(message, NFTA_CHAIN_FLAGS);

		if (!nft_is_same_table(message, table))
			continue;
		if (flags & NFT_CHAIN_BINDING)
			return false;
		any |= flags & NFT_CHAIN_BASE;
		builtin &= !(flags & NFT_CHAIN_BASE) || is_builtin_chain(message);
	}
	if (builtin && any)
		return true;
	rtnetlink_for_each(message, rules->data, rules->size)
	{
		if (nft_is_same_table(message, table) && has_extension(message))
			return true;
	}
	return false;
}

/* --- read --- */

/* The kernel has no nftables, or not this part. */
static bool is_absent(int error)
{
	return error == -EINVAL || error == -EOPNOTSUPP || error == -EPROTONOSUPPORT;
}

static int read_all(struct netlink *netlink, struct ruleset *ret)
{
	const struct nfgenmsg header = { .nfgen_family = AF_UNSPEC };

	for (size_t i = 0; i < ARRAY_SIZE(gets); i++) {
		int error = rtnetlink_dump(netlink, NFT_TYPE(gets[i]), &header, sizeof(header), NULL, &ret->parts[i]);

		if (error < 0 && !is_absent(error))
			return fail(-error, "asking for the nftables rules");
	}
	return 0;
}

/* Chains of a network lock, rules in them and rules that lead there. */
static bool is_of_lock(const struct nlmsghdr *message)
{
	const struct nlattr *item;

	if (message->nlmsg_type == NFT_TYPE(NFT_MSG_NEWCHAIN))
		return strcmp(nft_message_text(message, NFTA_CHAIN_NAME), LOCK_CHAIN) == 0;
	if (message->nlmsg_type != NFT_TYPE(NFT_MSG_NEWRULE))
		return false;
	if (strcmp(nft_message_text(message, NFTA_RULE_CHAIN), LOCK_CHAIN) == 0)
		return true;
	nft_for_each_expression(item, message)
	{
		struct nft_expression expression = nft_expression(item);

		if (strcmp(nft_verdict_chain(&expression), LOCK_CHAIN) == 0)
			return true;
	}
	return false;
}

static int read_elements(struct netlink *netlink, const struct nlmsghdr *set, struct buffer *to)
{
	char capacity[640] __attribute__((aligned(8)));
	struct nlmsghdr *request = mnl_nlmsg_put_header(capacity);
	struct nfgenmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	int error;

	header->nfgen_family = nft_message_family(set);
	mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_TABLE, nft_message_text(set, NFTA_SET_TABLE));
	mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_SET, nft_message_text(set, NFTA_SET_NAME));
	error = rtnetlink_dump(netlink, NFT_TYPE(NFT_MSG_GETSETELEM), header, mnl_nlmsg_get_payload_len(request), NULL,
			       to);
	return error < 0 ? fail(-error, "asking for the elements of nftables set %s",
				nft_message_text(set, NFTA_SET_NAME))
			 : 0;
}

static int take_table(struct netlink *netlink, const struct ruleset *all, const struct nlmsghdr *table,
		      struct buffer *to)
{
	for (size_t i = 0; i < ARRAY_SIZE(gets); i++) {
		const struct nlmsghdr *message;

		rtnetlink_for_each(message, all->parts[i].data, all->parts[i].size)
		{
			if (!nft_is_same_table(message, table) || is_of_lock(message))
				continue;
			buffer_append(to, message, NLMSG_ALIGN(message->nlmsg_len));
			if (message->nlmsg_type == NFT_TYPE(NFT_MSG_NEWSET))
				TRY(read_elements(netlink, message, to));
		}
	}
	return 0;
}

int net_iptables_nft_read(struct buffer *to)
{
	AUTO(netlink_close) struct netlink *netlink = NULL;
	AUTO(ruleset_done) struct ruleset all = { 0 };
	const struct nlmsghdr *table;
	int error = netlink_open(NETLINK_NETFILTER, &netlink);

	if (error == -EPROTONOSUPPORT)
		return 0;
	if (error < 0)
		return fail(-error, "opening a netfilter socket");
	TRY(read_all(netlink, &all));
	rtnetlink_for_each(table, all.parts[0].data, all.parts[0].size)
	{
		if (is_made_by_iptables(&all, table))
			TRY(take_table(netlink, &all, table, to));
	}
	return 0;
}

/* --- what cannot be had back --- */

/* Programs of BPF are named by descriptors or by names in a BPF file system. */
static bool has_program(const struct nlattr *info)
{
	const struct xt_bpf_info_v1 *bpf = mnl_attr_get_payload(info);

	return mnl_attr_get_payload_len(info) >= sizeof(*bpf) && bpf->mode != XT_BPF_MODE_BYTECODE;
}

static const struct extension {
	const char *name, *why;
	bool lost; /* the rule comes back, but not this */
	bool (*concerns)(const struct nlattr *info);
} extensions[] = {
	{ "nfacct", "it names an accounting object (nfacct), which is not saved" },
	{ "bpf", "it has a program of BPF, which cannot be saved", .concerns = has_program },
	{ "recent", "its list of addresses, which begins empty", .lost = true },
	{ "quota", "how much of its quota was used: it begins anew", .lost = true },
};

static const struct extension *find_extension(const struct nft_expression *expression)
{
	const struct nlattr *parts[4] = { 0 };
	const char *name;

	if (!nft_is_extension(expression, &name))
		return NULL;
	rtnetlink_parse_nested(expression->data, parts, ARRAY_SIZE(parts));
	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++)
		if (strcmp(extensions[i].name, name) == 0 &&
		    (!extensions[i].concerns || (parts[3] && extensions[i].concerns(parts[3]))))
			return &extensions[i];
	return NULL;
}

static int check_extension(const struct dump *d, const struct nlmsghdr *rule, const struct extension *found,
			   bool may_leave)
{
	AUTO(buffer_done) struct buffer text = { 0 };

	buffer_printf(&text, "the iptables rule with \"%s\" in chain %s of table %s %s", found->name,
		      nft_message_text(rule, NFTA_RULE_CHAIN), nft_family_name(nft_message_family(rule)),
		      nft_message_text(rule, NFTA_RULE_TABLE));
	if (!found->lost && !may_leave)
		return refuse(EOPNOTSUPP, "%s: %s", text.data, found->why);
	if (found->lost)
		dump_report_loss(d, "%s: %s", text.data, found->why);
	else
		dump_report_loss(d, "%s: %s: all rules are left to whoever restores, as --empty-ns net asks", text.data,
				 found->why);
	return !found->lost;
}

int net_iptables_nft_check(const struct dump *d, const struct buffer *messages, bool may_leave)
{
	const struct nlmsghdr *message;
	int left = 0;

	rtnetlink_for_each(message, messages->data, messages->size)
	{
		const struct nlattr *item;

		if (message->nlmsg_type != NFT_TYPE(NFT_MSG_NEWRULE) || left)
			continue;
		nft_for_each_expression(item, message)
		{
			struct nft_expression expression = nft_expression(item);
			const struct extension *found = find_extension(&expression);
			int result = found ? check_extension(d, message, found, may_leave) : 0;

			TRY(result);
			left = left ?: result;
		}
	}
	return left;
}

/* --- images --- */

int net_iptables_nft_dump(struct dump *d, uint32_t id)
{
	AUTO(image_close) struct image *image = NULL;
	AUTO(buffer_done) struct buffer messages = { 0 };

	TRY(net_iptables_nft_read(&messages));
	if (!messages.size)
		return 0;
	TRY(image_create(dump_store(d), &image, IMAGE_IPTABLES_NFT, id));
	TRY(image_write_bytes(image, messages.data, messages.size));
	return image_finish(&image);
}

int net_iptables_nft_load(const struct restore *r, uint32_t id, struct buffer *ret)
{
	AUTO(image_close) struct image *image = NULL;
	size_t size;
	void *data;
	int error = image_open_number(r->store, &image, IMAGE_IPTABLES_NFT, (struct image_number){ id });

	if (error == -ENOENT)
		return 0;
	TRY(error);
	TRY(image_read_payload(image, &data, &size));
	if (!rtnetlink_are_sound(data, size, is_known_type, sizeof(struct nfgenmsg)))
		return image_refuse(image, "its messages are damaged");
	ret->data = pool_copy(r->pool, data, size); /* aligned as messages are to be */
	ret->size = size;
	return 0;
}
