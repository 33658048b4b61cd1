// SPDX-License-Identifier: GPL-2.0-only
/* A rule of iptables-nft that names an IP set, which cannot be saved, is refused by name. */
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/xt_set.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "net.h"

SUBJECT(.refused = "iptables rule with \"set\" in chain INPUT of table ip filter: it names an IP set")

struct request {
	struct nlmsghdr head;
	struct nfgenmsg family;
	char attributes[128];
};

static void add(struct request *request, uint16_t type, const void *data, size_t size)
{
	struct nlattr *attribute = (struct nlattr *)((char *)request + NLMSG_ALIGN(request->head.nlmsg_len));

	attribute->nla_type = type;
	attribute->nla_len = (uint16_t)(NLA_HDRLEN + size);
	memcpy((char *)attribute + NLA_HDRLEN, data, size);
	request->head.nlmsg_len = NLMSG_ALIGN(request->head.nlmsg_len) + NLA_ALIGN(attribute->nla_len);
}

/* "ipset create addresses hash:ip", without ipset(8). */
static bool make_set(void)
{
	struct request request = { { .nlmsg_len = NLMSG_LENGTH(sizeof(request.family)),
				     .nlmsg_type = (NFNL_SUBSYS_IPSET << 8) | IPSET_CMD_CREATE,
				     .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE },
				   { .nfgen_family = AF_INET } };
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[4096];
	} answer;
	const uint8_t protocol = 6, revision = 0, family = AF_INET;
	int fd = must(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));

	add(&request, IPSET_ATTR_PROTOCOL, &protocol, 1);
	add(&request, IPSET_ATTR_SETNAME, "addresses", sizeof("addresses"));
	add(&request, IPSET_ATTR_TYPENAME, "hash:ip", sizeof("hash:ip"));
	add(&request, IPSET_ATTR_REVISION, &revision, 1);
	add(&request, IPSET_ATTR_FAMILY, &family, 1);
	add(&request, IPSET_ATTR_DATA | NLA_F_NESTED, "", 0);
	must((int)send(fd, &request, request.head.nlmsg_len, 0));
	must((int)recv(fd, &answer, sizeof(answer), 0));
	close(fd);
	return answer.head.nlmsg_type == NLMSG_ERROR && !answer.error.error;
}

int main(void)
{
	prepare_network();
	if (!make_set() || !runs("iptables-nft -A INPUT -m set --match-set addresses src -j DROP"))
		skip("this kernel has no IP sets, or there is no iptables-nft");

	checkpoint();

	CHECK(strstr(output_of("iptables-nft -S INPUT"), "--match-set addresses src"));
	return 0;
}
