/* SPDX-License-Identifier: LGPL-2.1-only */
/* Experiments with net namespaces and devices, by netlink(7). */
#include "kern/probe.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"

/* Some messages under construction. */
struct netlink_request {
	char data[1024] __attribute__((aligned(4)));
	size_t size;
	struct nlmsghdr *last;
};

static void begin_message(struct netlink_request *r, uint16_t type, uint16_t flags, const void *body, size_t size)
{
	r->last = (struct nlmsghdr *)(r->data + r->size);
	*r->last = (struct nlmsghdr){ .nlmsg_len = (uint32_t)NLMSG_LENGTH(size),
				      .nlmsg_type = type,
				      .nlmsg_flags = NLM_F_REQUEST | flags };
	memcpy(NLMSG_DATA(r->last), body, size);
	r->size += NLMSG_SPACE(size);
}

static void add_attribute(struct netlink_request *r, uint16_t type, const void *value, size_t size)
{
	struct nlattr *attribute = (struct nlattr *)(r->data + r->size);

	*attribute = (struct nlattr){ .nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = type };
	memcpy((char *)attribute + NLA_HDRLEN, value, size);
	r->size += NLA_ALIGN(NLA_HDRLEN + size);
	r->last->nlmsg_len = (uint32_t)(r->data + r->size - (char *)r->last);
}

/* Sends, and returns the type of the first answer, or -errno that the kernel answers with; 0 for an acknowledgement. */
static int exchange_netlink(int protocol, const struct netlink_request *r)
{
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	struct timeval grace = { .tv_sec = 60 };
	char answer[16384] __attribute__((aligned(8)));
	struct nlmsghdr *first = (struct nlmsghdr *)answer;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &grace, sizeof(grace)) < 0 ||
	    send(fd, r->data, r->size, 0) < 0 || recv(fd, answer, sizeof(answer), 0) < 0)
		return -errno;
	if (first->nlmsg_type == NLMSG_ERROR)
		return ((struct nlmsgerr *)NLMSG_DATA(first))->error;
	return first->nlmsg_type;
}

/* A kernel that knows the attribute refuses a negative index; an older one does not look at it. */
static int try_new_index(void)
{
	struct netlink_request r = { .size = 0 };
	struct ifinfomsg lo = { .ifi_index = 1 };
	int32_t index = -1;

	begin_message(&r, RTM_SETLINK, NLM_F_ACK, &lo, sizeof(lo));
	add_attribute(&r, 49 /* IFLA_NEW_IFINDEX */, &index, sizeof(index));
	return exchange_netlink(NETLINK_ROUTE, &r) < 0;
}

int probe_newifindex(void)
{
	return probe_in_namespaces(try_new_index);
}

static int ask_nsid(uint16_t type, int ns, int32_t id)
{
	struct netlink_request r = { .size = 0 };
	struct rtgenmsg body = { .rtgen_family = AF_UNSPEC };
	uint32_t fd = (uint32_t)ns;

	begin_message(&r, type, type == RTM_NEWNSID ? NLM_F_ACK : 0, &body, sizeof(body));
	add_attribute(&r, NETNSA_FD, &fd, sizeof(fd));
	if (type == RTM_NEWNSID)
		add_attribute(&r, NETNSA_NSID, &id, sizeof(id));
	return exchange_netlink(NETLINK_ROUTE, &r);
}

static int try_nsid(void)
{
	AUTO_CLOSE int ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	return ns >= 0 && ask_nsid(RTM_GETNSID, ns, 0) == RTM_NEWNSID;
}

int probe_nsid(void)
{
	return probe_in_namespaces(try_nsid);
}

/* From a second net namespace, asks for the device lo of the first one. */
static int try_link_nsid(void)
{
	AUTO_CLOSE int ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct netlink_request r = { .size = 0 };
	struct ifinfomsg lo = { .ifi_index = 1 };
	int32_t id = 5;

	if (ns < 0 || unshare(CLONE_NEWNET) < 0)
		return -errno;
	if (ask_nsid(RTM_NEWNSID, ns, id) != 0)
		return 0;
	begin_message(&r, RTM_GETLINK, 0, &lo, sizeof(lo));
	add_attribute(&r, IFLA_TARGET_NETNSID, &id, sizeof(id));
	return exchange_netlink(NETLINK_ROUTE, &r) == RTM_NEWLINK;
}

int probe_link_nsid(void)
{
	return probe_in_namespaces(try_link_nsid);
}

/* The namespace of a socket, and its id, tell whose a net namespace is. */
int probe_external_net_ns(void)
{
	int result = probe_sk_ns();

	return result > 0 ? probe_nsid() : result;
}

static int try_nftables(void)
{
	struct netlink_request r = { .size = 0 };
	struct nfgenmsg body = { .nfgen_family = NFPROTO_UNSPEC };

	begin_message(&r, (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN, 0, &body, sizeof(body));
	return exchange_netlink(NETLINK_NETFILTER, &r) == ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN);
}

int probe_nftables(void)
{
	return probe_in_namespaces(try_nftables);
}

/* A table as the lock makes one: family inet, so it holds for IPv4 and IPv6. */
static int try_nft_table(void)
{
	struct netlink_request r = { .size = 0 };
	struct nfgenmsg batch = { .nfgen_family = AF_UNSPEC, .res_id = htobe16(NFNL_SUBSYS_NFTABLES) };
	struct nfgenmsg body = { .nfgen_family = NFPROTO_INET };
	static const char name[] = "criu-probe";

	begin_message(&r, NFNL_MSG_BATCH_BEGIN, 0, &batch, sizeof(batch));
	begin_message(&r, (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_ACK, &body,
		      sizeof(body));
	add_attribute(&r, NFTA_TABLE_NAME, name, sizeof(name));
	begin_message(&r, NFNL_MSG_BATCH_END, 0, &batch, sizeof(batch));
	return exchange_netlink(NETLINK_NETFILTER, &r) == 0;
}

int probe_network_lock_nftables(void)
{
	return probe_in_namespaces(try_nft_table);
}
