/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A datagram that a socket holds back (UDP_CORK, MSG_MORE). It is nowhere to be read; but when it is sent the packet
 * filter can show it to us (NFLOG) and drop it. Then it is written once more, to be held back again: all in one go,
 * while the tasks stand still.
 */
#include "object/socket/inet/udp-cork.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/log.h"
#include "base/pool.h"
#include "kern/net/libnftables.h"
#include "object/socket/inet/address.h"
#include "object/socket/inet/inet.h"
#include "object/socket/option-numbers.h"

#define FIRST_GROUP 0xc114
#define GROUPS_MAX  8
#define CAPACITY    (256u << 10)
#define UDP_HEADER  8

/* --- a listener for what the filter logs --- */

struct config {
	struct nlmsghdr header;
	struct nfgenmsg message;
	struct nlattr attribute;
	uint8_t value[8];
};

static int configure_log(int log, int group, int type, const void *value, size_t size)
{
	struct config request = {
		.header = { .nlmsg_len =
				    NLMSG_LENGTH(sizeof(struct nfgenmsg)) + (uint32_t)(NLA_HDRLEN + NLA_ALIGN(size)),
			    .nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.message = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons((uint16_t)group) },
		.attribute = { .nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = (uint16_t)type },
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char more[256];
	} answer;

	memcpy(request.value, value, size);
	if (send(log, &request, request.header.nlmsg_len, 0) < 0 || recv(log, &answer, sizeof(answer), 0) < 0)
		return -errno;
	return answer.header.nlmsg_type == NLMSG_ERROR ? answer.error.error : -EPROTO;
}

static int open_log(int *ret_group)
{
	const struct nfulnl_msg_config_cmd bind_it = { NFULNL_CFG_CMD_BIND };
	const struct nfulnl_msg_config_mode whole = { .copy_range = htonl(0xffff), .copy_mode = NFULNL_COPY_PACKET };
	const uint32_t at_once = htonl(1);
	const int capacity = CAPACITY * 2;
	AUTO_CLOSE int log = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	int error = -EBUSY;

	if (log < 0)
		return -errno;
	(void)setsockopt(log, SOL_SOCKET, SO_RCVBUFFORCE, &capacity, sizeof(capacity));
	for (*ret_group = FIRST_GROUP; error < 0 && *ret_group < FIRST_GROUP + GROUPS_MAX; (*ret_group)++)
		error = configure_log(log, *ret_group, NFULA_CFG_CMD, &bind_it, sizeof(bind_it));
	(*ret_group)--;
	if (!error)
		error = configure_log(log, *ret_group, NFULA_CFG_MODE, &whole, sizeof(whole));
	if (!error)
		error = configure_log(log, *ret_group, NFULA_CFG_QTHRESH, &at_once, sizeof(at_once));
	return error < 0 ? error : TAKE_FD(log);
}

static void close_nft(struct nft_ctx **nft)
{
	if (*nft)
		libnftables_end(*nft);
	*nft = NULL;
}

/* The table goes with the context: criu owns it. */
static struct nft_ctx *divert_packets(int group, const InetSkEntry *entry)
{
	struct nft_ctx *nft;
	char rules[512];

	snprintf(rules, sizeof(rules),
		 "table inet CRIU-cork-%d { flags owner; chain output { type filter hook output priority -450; "
		 "%s sport %u log group %d queue-threshold 1 snaplen 65535 drop; }; }\n",
		 getpid(), entry->proto == IPPROTO_UDP ? "udp" : "udplite", entry->src_port, group);
	nft = libnftables_load() < 0 ? NULL : libnftables_begin();
	if (!nft)
		return NULL;
	libnftables.nft_ctx_buffer_error(nft);
	if (!libnftables.nft_run_cmd_from_buffer(nft, rules))
		return nft;
	log_debug("nftables: %s", libnftables.nft_ctx_get_error_buffer(nft));
	close_nft(&nft);
	return NULL;
}

/* --- the packet --- */

/* Where its data begins; addresses and port of the other side. 0: it is not the one. */
static size_t parse_packet(const uint8_t *packet, size_t size, const InetSkEntry *entry, InetCorkedEntry *corked)
{
	bool v4 = size >= sizeof(struct iphdr) && packet[0] >> 4 == 4;
	size_t at = v4 ? (size_t)(packet[0] & 15) * 4 : sizeof(struct ip6_hdr);
	uint16_t ports[2];

	if (size < at + UDP_HEADER)
		return 0;
	memcpy(ports, packet + at, sizeof(ports));
	if (ntohs(ports[0]) != entry->src_port)
		return 0;
	corked->port = ntohs(ports[1]);
	if (v4) {
		memcpy(&corked->address[0], packet + offsetof(struct iphdr, daddr), 4);
		corked->n_address = 1;
	} else {
		memcpy(corked->address, packet + offsetof(struct ip6_hdr, ip6_dst), 16);
		corked->n_address = 4;
	}
	return at + UDP_HEADER;
}

static const struct nlattr *find_payload(const char *message, size_t size)
{
	size_t at = NLMSG_LENGTH(sizeof(struct nfgenmsg));

	while (at + NLA_HDRLEN <= size) {
		const struct nlattr *attribute = (const void *)(message + at);

		if (attribute->nla_len < NLA_HDRLEN || at + attribute->nla_len > size)
			return NULL;
		if ((attribute->nla_type & NLA_TYPE_MASK) == NFULA_PAYLOAD)
			return attribute;
		at += NLA_ALIGN(attribute->nla_len);
	}
	return NULL;
}

static int take_packet(int log, const InetSkEntry *entry, InetCorkedEntry *corked, struct pool *pool)
{
	struct pollfd ready = { .fd = log, .events = POLLIN };
	AUTO_FREE char *message = xmalloc(CAPACITY);

	while (poll(&ready, 1, GRACE_CORK_MS) == 1) {
		ssize_t size = recv(log, message, CAPACITY, 0);
		const struct nlattr *payload = size > 0 ? find_payload(message, (size_t)size) : NULL;
		const uint8_t *packet = (const uint8_t *)payload + NLA_HDRLEN;
		size_t length = payload ? payload->nla_len - NLA_HDRLEN : 0;
		size_t at = payload ? parse_packet(packet, length, entry, corked) : 0;

		if (!at)
			continue;
		corked->data.len = length - at;
		corked->data.data = pool_copy(pool, packet + at, length - at);
		return 0;
	}
	return -ENODATA;
}

/* --- both directions --- */

int udp_cork_write(int fd, const InetSkEntry *entry, const InetCorkedEntry *corked)
{
	union inet_address to = { .v4 = { .sin_family = (sa_family_t)entry->family,
					  .sin_port = htons((uint16_t)corked->port) } };
	bool connected = inet_is_connected(entry);

	if (corked->n_address == 4)
		memcpy(&to.v6.sin6_addr, corked->address, 16);
	else if (entry->family == AF_INET)
		memcpy(&to.v4.sin_addr, corked->address, 4);
	else /* to an IPv4 address, by an IPv6 socket */
		to.v6.sin6_addr = (struct in6_addr){ .s6_addr32 = { 0, 0, htonl(0xffff), corked->address[0] } };
	if (sendto(fd, corked->data.data, corked->data.len, MSG_MORE | MSG_NOSIGNAL, connected ? NULL : &to.any,
		   connected ? 0 : inet_address_size(&to)) < 0)
		return fail_errno("cannot write the %zu bytes that a socket held back (UDP_CORK, MSG_MORE)",
				  corked->data.len);
	return 0;
}

int udp_cork_check(const InetSkEntry *entry)
{
	const InetCorkedEntry *corked = entry->corked;

	if (!corked || ((corked->n_address == 1 || (corked->n_address == 4 && entry->family == AF_INET6)) &&
			corked->port <= UINT16_MAX))
		return 0;
	return refuse(EINVAL, "what the socket held back has no address");
}

static int push_and_take(int fd, int log, InetSkEntry *entry, InetCorkedEntry *corked, struct pool *pool)
{
	int before = 0, off = 0, result;
	socklen_t size = sizeof(before);

	if (getsockopt(fd, IPPROTO_UDP, UDP_CORK, &before, &size) < 0 ||
	    setsockopt(fd, IPPROTO_UDP, UDP_CORK, &off, sizeof(off)) < 0)
		return -errno;
	result = take_packet(log, entry, corked, pool);
	if (before && setsockopt(fd, IPPROTO_UDP, UDP_CORK, &before, sizeof(before)) < 0)
		return -errno;
	return result;
}

int udp_cork_dump(int fd, InetSkEntry *entry, struct pool *pool)
{
	InetCorkedEntry *corked = pool_new(pool, InetCorkedEntry);
	AUTO(close_nft) struct nft_ctx *nft = NULL;
	AUTO_CLOSE int log = -1;
	int group = 0, result;

	inet_corked_entry__init(corked);
	corked->address = pool_array(pool, uint32_t, 4);
	log = open_log(&group);
	if (log >= 0)
		nft = divert_packets(group, entry);
	if (!nft)
		return refuse(EBUSY, "a corked datagram waits to be sent (UDP_CORK or MSG_MORE); to read it the kernel "
				     "needs nf_tables and "
				     "nfnetlink_log; try again later");
	result = push_and_take(fd, log, entry, corked, pool);
	if (result == -ENODATA)
		return refuse(EBUSY, "a corked datagram (UDP_CORK or MSG_MORE) did not come by in the packet filter");
	if (result < 0)
		return fail(-result, "cannot uncork the socket");
	entry->corked = corked;
	return udp_cork_write(fd, entry, corked);
}
