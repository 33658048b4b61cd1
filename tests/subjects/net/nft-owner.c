// SPDX-License-Identifier: GPL-2.0-only
/* Tables of nftables that belong to a socket of a program, one of them switched off, are there and can be changed. */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "net.h"

SUBJECT()

static char batch[4096];
static size_t used;

static void begin_message(uint16_t type, uint16_t family, uint16_t resource)
{
	const struct nlmsghdr head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct nfgenmsg)),
				       .nlmsg_type = type,
				       .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE };
	const struct nfgenmsg of = { .nfgen_family = (uint8_t)family, .res_id = resource };

	memcpy(batch + used, &head, sizeof(head));
	memcpy(batch + used + NLMSG_HDRLEN, &of, sizeof(of));
}

static void add_attribute(uint16_t type, const void *data, size_t size)
{
	struct nlmsghdr *message = (struct nlmsghdr *)(void *)(batch + used);
	struct nlattr *attribute = (struct nlattr *)(void *)(batch + used + NLMSG_ALIGN(message->nlmsg_len));

	attribute->nla_type = type;
	attribute->nla_len = (uint16_t)(NLA_HDRLEN + size);
	memcpy((char *)attribute + NLA_HDRLEN, data, size);
	message->nlmsg_len = NLMSG_ALIGN(message->nlmsg_len) + NLA_ALIGN(attribute->nla_len);
}

static void end_message(void)
{
	used += NLMSG_ALIGN(((struct nlmsghdr *)(void *)(batch + used))->nlmsg_len);
}

static void add_table(const char *name, uint32_t flags)
{
	const uint32_t word = __builtin_bswap32(flags);

	begin_message(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE, NFPROTO_INET, 0);
	add_attribute(NFTA_TABLE_NAME, name, strlen(name) + 1);
	add_attribute(NFTA_TABLE_FLAGS, &word, sizeof(word));
	end_message();
}

int main(void)
{
	int fd = must(socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER));

	prepare_network();
	close(fd);
	fd = must(socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER));
	begin_message(NFNL_MSG_BATCH_BEGIN, AF_UNSPEC, __builtin_bswap16(NFNL_SUBSYS_NFTABLES));
	end_message();
	add_table("mine", 2); /* NFT_TABLE_F_OWNER, Linux 5.12 */
	add_table("asleep", 3);
	begin_message(NFNL_MSG_BATCH_END, AF_UNSPEC, __builtin_bswap16(NFNL_SUBSYS_NFTABLES));
	end_message();
	must((int)send(fd, batch, used, 0));
	if (!runs("nft list ruleset") || !strstr(output_of("nft list ruleset"), "owner"))
		skip("this kernel has no tables with an owner, or there is no nft");
	CHECK(!runs("nft add chain inet mine other"));

	checkpoint();

	CHECK(strstr(output_of("nft list ruleset"), "table inet mine"));
	CHECK(strstr(output_of("nft list table inet asleep"), "flags dormant"));
	CHECK(fcntl(fd, F_GETFD) >= 0);
	return 0;
}
