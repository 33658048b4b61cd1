/* SPDX-License-Identifier: LGPL-2.1-only */
/* The tables of TCP, UDP, UDP-Lite and raw sockets. */
#include "kern/net/sockdiag-inet.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/pool.h"
#include "base/table.h"
#include "base/vector.h"
#include "kern/net/netlink.h"
#include "kern/net/sockdiag.h"

struct inet_reading {
	struct pool *pool;
	struct table *by_ino;
	uint32_t space;
	uint8_t protocol;
};

static void take_inet_attribute(struct inet_diag *diag, const struct nlattr *attr)
{
	const uint32_t *words = mnl_attr_get_payload(attr);
	const size_t size = mnl_attr_get_payload_len(attr);

	switch (mnl_attr_get_type(attr)) {
	case INET_DIAG_SHUTDOWN:
		diag->shutdown = mnl_attr_get_u8(attr);
		break;
	case INET_DIAG_MD5SIG:
		diag->is_signed = true;
		break;
	case INET_DIAG_SKMEMINFO:
		if (size > SK_MEMINFO_SNDBUF * sizeof(*words)) {
			diag->receive_buffer = words[SK_MEMINFO_RCVBUF];
			diag->send_buffer = words[SK_MEMINFO_SNDBUF];
		}
		break;
	case INET_DIAG_MARK:
		diag->has_mark = true;
		diag->mark = *words;
		break;
	case INET_DIAG_CLASS_ID:
		diag->has_class = true;
		diag->class = *words;
		break;
	case INET_DIAG_SOCKOPT:
		diag->has_options = size >= sizeof(diag->options);
		if (diag->has_options)
			memcpy(&diag->options, words, sizeof(diag->options));
		break;
	}
}

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
	diag->space = reading->space;
	diag->ifindex = head->id.idiag_if;
	diag->family = head->idiag_family;
	diag->protocol = reading->protocol;
	diag->state = head->idiag_state;
	diag->rqueue = head->idiag_rqueue;
	diag->wqueue = head->idiag_wqueue;
	diag->src_port = ntohs(head->id.idiag_sport);
	diag->dst_port = ntohs(head->id.idiag_dport);
	memcpy(diag->src, head->id.idiag_src, sizeof(diag->src));
	memcpy(diag->dst, head->id.idiag_dst, sizeof(diag->dst));
	mnl_attr_for_each(attr, message, sizeof(*head)) take_inet_attribute(diag, attr);
	table_set(reading->by_ino, diag->ino, diag);
	return 0;
}

static int read_inet(struct netlink *netlink, int family, uint32_t states, struct inet_reading *reading)
{
	const struct inet_diag_req_v2 request = {
		.sdiag_family = family,
		.sdiag_protocol = reading->protocol,
		.idiag_states = states,
		/* With INFO come the keys of connections, with TCLASS the priority, else not (inet_sk_diag_fill(),
		   inet_diag_msg_attrs_fill() of the kernel). */
		.idiag_ext = states == 1u << TCP_LISTEN
				     ? 0
				     : 1 << (INET_DIAG_TCLASS - 1) | 1 << (INET_DIAG_SKMEMINFO - 1) |
					       (reading->protocol == IPPROTO_TCP) << (INET_DIAG_INFO - 1),
	};
	char buffer[MNL_NLMSG_HDRLEN + 128] = { 0 };
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	int result;

	header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	memcpy(mnl_nlmsg_put_extra_header(header, sizeof(request)), &request, sizeof(request));
	do {
		result = netlink_ask(netlink, header, take_inet, reading);
	} while (result == -EINTR);
	/* -ENOENT: no such diag module (INET_RAW_DIAG is often missing), -EINVAL: not even the family. */
	return result == -ENOENT || result == -EINVAL ? 0 : result;
}

int sockdiag_read_inet(struct netlink *netlink, struct pool *pool, uint32_t space, int family, int protocol,
		       struct table *by_ino)
{
	return read_inet(netlink, family, UINT32_MAX, &(struct inet_reading){ pool, by_ino, space, protocol });
}

/* Without the table of connections, which takes the kernel milliseconds to look through even if it is empty. */
int sockdiag_read_listeners(struct netlink *netlink, struct pool *pool, int family, struct table *by_ino)
{
	return read_inet(netlink, family, 1u << TCP_LISTEN, &(struct inet_reading){ pool, by_ino, 0, IPPROTO_TCP });
}

/* --- sockets that nobody has any more --- */

struct search {
	int (*take)(void *arg, const struct nlmsghdr *message);
	const struct inet_diag *like;
	uint32_t states;
	bool multipath; /* only those */
	VECTOR(struct inet_diag_sockid) found;
};

static bool is_address(const uint32_t address[4])
{
	return address[0] | address[1] | address[2] | address[3];
}

/* A subflow, also of a connection that has fallen back: its layer (ULP) tells so. */
static bool is_multipath(const struct nlmsghdr *message)
{
	const struct nlattr *attr, *part;

	mnl_attr_for_each(attr, message, sizeof(struct inet_diag_msg))
	{
		if (mnl_attr_get_type(attr) != INET_DIAG_ULP_INFO)
			continue;
		mnl_attr_for_each_nested(part, attr)
		{
			if (mnl_attr_get_type(part) == INET_ULP_INFO_MPTCP)
				return true;
		}
	}
	return false;
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
	if (!search->multipath || is_multipath(message))
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

static int ask_all(struct netlink *netlink, const struct inet_diag_req_v2 *request, struct search *search)
{
	int result;

	do {
		search->found.n = 0;
		result = ask_tcp(netlink, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, request, search->take, search);
	} while (result == -EINTR);
	return result;
}

int sockdiag_count_multipath(struct netlink *netlink, const struct inet_diag *like)
{
	const struct inet_diag_req_v2 request = {
		.sdiag_family = like->family,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = ~(1u << TCP_LISTEN),
		.idiag_ext = 1 << (INET_DIAG_INFO - 1), /* the layer comes with it */
	};
	struct search search = {
		.take = take_unowned, .like = like, .states = request.idiag_states, .multipath = true
	};
	int result = ask_all(netlink, &request, &search), n = (int)search.found.n;

	vector_done(&search.found);
	return result < 0 ? result : n;
}

static int take_under_way(void *arg, const struct nlmsghdr *message)
{
	const struct inet_diag_msg *head = mnl_nlmsg_get_payload(message);
	struct search *search = arg;

	if (head->idiag_wqueue && is_multipath(message))
		*vector_push(&search->found) = head->id;
	return 0;
}

bool sockdiag_is_under_way(struct netlink *netlink)
{
	struct inet_diag_req_v2 request = {
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = 1u << TCP_ESTABLISHED | 1u << TCP_FIN_WAIT1 | 1u << TCP_CLOSE_WAIT | 1u << TCP_CLOSING |
				1u << TCP_LAST_ACK,
		.idiag_ext = 1 << (INET_DIAG_INFO - 1),
	};
	struct search search = { .take = take_under_way };
	bool found = false;

	for (unsigned i = 0; i < 2 && !found; i++) {
		request.sdiag_family = i ? AF_INET6 : AF_INET;
		found = ask_all(netlink, &request, &search) >= 0 && search.found.n;
	}
	vector_done(&search.found);
	return found;
}

int sockdiag_end_unowned(struct netlink *netlink, const struct inet_diag *like, uint32_t states, bool only_count)
{
	struct inet_diag_req_v2 request = {
		.sdiag_family = like->family,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = states,
	};
	struct search search = { .take = take_unowned, .like = like, .states = states };
	int result = ask_all(netlink, &request, &search), n = 0;

	for (size_t i = 0; result >= 0 && i < search.found.n; i++) {
		request.id = search.found.items[i];
		/* It may have gone by itself; without CONFIG_INET_DIAG_DESTROY it stays. */
		n += only_count || ask_tcp(netlink, SOCK_DESTROY, NLM_F_ACK, &request, NULL, NULL) >= 0;
	}
	vector_done(&search.found);
	return result < 0 ? result : n;
}

static int take_found(void *arg, const struct nlmsghdr *message)
{
	const struct inet_diag_msg *head = mnl_nlmsg_get_payload(message);
	struct tcp_diag *ret = arg;
	const struct nlattr *attr;

	ret->state = head->idiag_state;
	ret->rqueue = head->idiag_rqueue;
	mnl_attr_for_each(attr, message, sizeof(*head))
	{
		const struct tcp_info *info = mnl_attr_get_payload(attr);

		if (mnl_attr_get_type(attr) != INET_DIAG_INFO || mnl_attr_get_payload_len(attr) < 8)
			continue;
		ret->options = info->tcpi_options;
		ret->snd_wscale = info->tcpi_snd_wscale;
		ret->rcv_wscale = info->tcpi_rcv_wscale;
	}
	return 0;
}

int sockdiag_find_tcp(struct netlink *netlink, const struct inet_diag *name, struct tcp_diag *ret)
{
	struct inet_diag_req_v2 request = {
		.sdiag_family = name->family,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_ext = 1 << (INET_DIAG_INFO - 1),
		.idiag_states = UINT32_MAX,
		.id = { .idiag_sport = htons(name->src_port),
			.idiag_dport = htons(name->dst_port),
			.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } },
	};
	int result;

	memcpy(request.id.idiag_src, name->src, sizeof(name->src));
	memcpy(request.id.idiag_dst, name->dst, sizeof(name->dst));
	memset(ret, 0, sizeof(*ret));
	result = ask_tcp(netlink, SOCK_DIAG_BY_FAMILY, NLM_F_ACK, &request, take_found, ret);
	if (result == -ENOENT)
		return 0;
	/* Where there is no connection the kernel finds the listener. */
	return result < 0 ? result : ret->state && ret->state != TCP_LISTEN;
}
