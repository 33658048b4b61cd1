/* SPDX-License-Identifier: LGPL-2.1-only */
/* The tables of TCP, UDP, UDP-Lite and raw sockets. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <arpa/inet.h>
#include <string.h>

#include "base/pool.h"
#include "base/table.h"
#include "base/vector.h"
#include "kern/net/netlink.h"
#include "kern/net/sockdiag.h"

struct inet_reading {
	struct pool *pool;
	struct table *by_ino;
	uint8_t protocol;
};

static int take_inet(void *arg, const struct nlmsghdr *message)
{
	const struct inet_diag_msg *head = mnl_nlmsg_get_payload(message);
	struct inet_reading *reading = arg;
	struct inet_diag *diag;
	const struct nlattr *attr;

	if (!head->idiag_inode)
		return 0;
	diag = pool_new(reading->pool, struct inet_diag);
	diag->ino = head->idiag_inode;
	diag->family = head->idiag_family;
	diag->protocol = reading->protocol;
	diag->state = head->idiag_state;
	diag->rqueue = head->idiag_rqueue;
	diag->wqueue = head->idiag_wqueue;
	diag->src_port = ntohs(head->id.idiag_sport);
	diag->dst_port = ntohs(head->id.idiag_dport);
	memcpy(diag->src, head->id.idiag_src, sizeof(diag->src));
	memcpy(diag->dst, head->id.idiag_dst, sizeof(diag->dst));
	mnl_attr_for_each(attr, message, sizeof(*head)) if (mnl_attr_get_type(attr) == INET_DIAG_SHUTDOWN)
		diag->shutdown = mnl_attr_get_u8(attr);
	table_set(reading->by_ino, diag->ino, diag);
	return 0;
}

int sockdiag_read_inet(struct netlink *netlink, struct pool *pool, int family, int protocol, struct table *by_ino)
{
	const struct inet_diag_req_v2 request = {
		.sdiag_family = family,
		.sdiag_protocol = protocol,
		.idiag_states = UINT32_MAX,
	};
	struct inet_reading reading = { pool, by_ino, protocol };
	char buffer[MNL_NLMSG_HDRLEN + 128] = { 0 };
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	int result;

	header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	memcpy(mnl_nlmsg_put_extra_header(header, sizeof(request)), &request, sizeof(request));
	do {
		result = netlink_ask(netlink, header, take_inet, &reading);
	} while (result == -EINTR);
	/* -ENOENT: no such diag module (INET_RAW_DIAG is often missing), -EINVAL: not even the family. */
	return result == -ENOENT || result == -EINVAL ? 0 : result;
}

/* --- sockets that nobody has any more --- */

struct search {
	const struct inet_diag *like;
	uint32_t states;
	VECTOR(struct inet_diag_sockid) found;
};

static bool is_address(const uint32_t address[4])
{
	return address[0] | address[1] | address[2] | address[3];
}

static int take_unowned(void *arg, const struct nlmsghdr *message)
{
	const struct inet_diag_msg *head = mnl_nlmsg_get_payload(message);
	struct search *search = arg;
	const struct inet_diag *like = search->like;

	if (head->idiag_inode || !(search->states >> head->idiag_state & 1) ||
	    ntohs(head->id.idiag_sport) != like->src_port)
		return 0;
	if (is_address(like->src) && memcmp(head->id.idiag_src, like->src, sizeof(like->src)))
		return 0;
	if (like->dst_port &&
	    (ntohs(head->id.idiag_dport) != like->dst_port || memcmp(head->id.idiag_dst, like->dst, sizeof(like->dst))))
		return 0;
	*vector_push(&search->found) = head->id;
	return 0;
}

static int ask_tcp(struct netlink *netlink, uint16_t type, uint16_t flags, const struct inet_diag_req_v2 *request,
		   int (*answer)(void *arg, const struct nlmsghdr *message), void *arg)
{
	char buffer[MNL_NLMSG_HDRLEN + 128] = { 0 };
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);

	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | flags;
	memcpy(mnl_nlmsg_put_extra_header(header, sizeof(*request)), request, sizeof(*request));
	return netlink_ask(netlink, header, answer, arg);
}

int sockdiag_end_unowned(struct netlink *netlink, const struct inet_diag *like, uint32_t states, bool only_count)
{
	struct inet_diag_req_v2 request = {
		.sdiag_family = like->family,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = states,
	};
	struct search search = { .like = like, .states = states };
	int result, n = 0;

	do {
		search.found.n = 0;
		result = ask_tcp(netlink, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &request, take_unowned, &search);
	} while (result == -EINTR);
	for (size_t i = 0; result >= 0 && i < search.found.n; i++) {
		request.id = search.found.items[i];
		/* It may have gone by itself; without CONFIG_INET_DIAG_DESTROY it stays. */
		n += only_count || ask_tcp(netlink, SOCK_DESTROY, NLM_F_ACK, &request, NULL, NULL) >= 0;
	}
	vector_done(&search.found);
	return result < 0 ? result : n;
}
