/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Unread datagrams of UDP. At dump they are looked at with MSG_PEEK. At restore each is sent once more, from the
 * address it came from, by a raw socket: over the loopback device no route, no filter of source addresses and nobody
 * outside is concerned. That is done right after bind(2): before connect(2), which would refuse other senders, and
 * before the options that would look at it twice.
 */
#include "object/socket/inet/udp-queue.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <soccr.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/deadline.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/vector.h"
#include "object/socket/inet/address.h"
#include "object/socket/inet/inet.h"
#include "object/socket/option-numbers.h"

#define DATAGRAM_MAX 65536
#define TOTAL_MAX    (8u << 20) /* bytes in a record */

/* --- dump --- */

struct queue {
	int fd;
	InetSkEntry *entry;
	bool asks_device; /* the program wants to know by which device they came */
	VECTOR(InetDatagramEntry *) all;
	unsigned lost;
	struct pool *pool;
};

struct peeked_datagram {
	char *data;
	size_t size;
	union inet_address from;
	struct in6_addr to; /* in both families; IPv4 as ::ffff:... */
	bool has_to;
	unsigned device; /* 0: not known */
	int ttl, tos;	 /* -1: not known */
	int segment;	 /* UDP_GRO: several datagrams of this size, the last one may be shorter; else 0 */
};

static void map_v4(struct in_addr from, struct in6_addr *to)
{
	*to = (struct in6_addr){ .s6_addr32 = { 0, 0, htonl(0xffff), from.s_addr } };
}

static void take_number(const struct cmsghdr *c, int *ret)
{
	*ret = c->cmsg_len >= CMSG_LEN(sizeof(int)) ? *(const int *)CMSG_DATA(c) : *CMSG_DATA(c);
}

static void take_control(struct msghdr *message, struct peeked_datagram *looked)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			const struct in_pktinfo *info = (const struct in_pktinfo *)CMSG_DATA(c);

			map_v4(info->ipi_addr, &looked->to);
			looked->has_to = true;
			looked->device = (unsigned)info->ipi_ifindex;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			const struct in6_pktinfo *info = (const struct in6_pktinfo *)CMSG_DATA(c);

			looked->to = info->ipi6_addr;
			looked->has_to = true;
			looked->device = info->ipi6_ifindex;
		} else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
			   (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)) {
			take_number(c, &looked->ttl);
		} else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) ||
			   (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)) {
			take_number(c, &looked->tos);
		} else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			take_number(c, &looked->segment);
		}
	}
}

/* The next datagram: SO_PEEK_OFF moves on with every look. 1, or 0 at the end. */
static int peek_datagram(int fd, struct peeked_datagram *looked)
{
	char control[1024] __attribute__((aligned(sizeof(size_t))));
	struct iovec iov = { looked->data, DATAGRAM_MAX };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control),
				  .msg_name = &looked->from,
				  .msg_namelen = sizeof(looked->from) };
	ssize_t size = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT);

	if (size < 0)
		return errno == EAGAIN ? 0 : fail_errno("cannot look at the unread datagrams");
	looked->size = (size_t)size;
	looked->has_to = false;
	looked->device = 0;
	looked->ttl = looked->tos = -1;
	looked->segment = 0;
	take_control(&message, looked);
	return 1;
}

static bool is_unicast(const struct in6_addr *a)
{
	if (IN6_IS_ADDR_V4MAPPED(a))
		return !IN_MULTICAST(ntohl(a->s6_addr32[3])) && a->s6_addr32[3] != INADDR_BROADCAST && a->s6_addr32[3];
	return !IN6_IS_ADDR_MULTICAST(a) && !IN6_IS_ADDR_UNSPECIFIED(a) && !IN6_IS_ADDR_LINKLOCAL(a);
}

static void get_source(const struct peeked_datagram *looked, struct in6_addr *ret)
{
	if (looked->from.any.sa_family == AF_INET)
		map_v4(looked->from.v4.sin_addr, ret);
	else
		*ret = looked->from.v6.sin6_addr;
}

/* Can it come once more by way of the loopback device, and look the same? */
static bool can_be_kept(const struct queue *queue, const struct peeked_datagram *looked)
{
	struct in6_addr from;

	get_source(looked, &from);
	if (queue->asks_device && looked->device && looked->device != if_nametoindex("lo"))
		return false;
	return looked->has_to && is_unicast(&from) && is_unicast(&looked->to) &&
	       IN6_IS_ADDR_V4MAPPED(&from) == IN6_IS_ADDR_V4MAPPED(&looked->to);
}

static void keep_one(struct queue *queue, const struct peeked_datagram *looked, size_t at, size_t size)
{
	InetDatagramEntry *new = pool_new(queue->pool, InetDatagramEntry);
	struct in6_addr from;

	inet_datagram_entry__init(new);
	get_source(looked, &from);
	new->data = (ProtobufCBinaryData){ size, pool_copy(queue->pool, looked->data + at, size) };
	new->port = ntohs(looked->from.v4.sin_port);
	new->n_from = new->n_to = 4;
	new->from = pool_copy(queue->pool, &from, sizeof(from));
	new->to = pool_copy(queue->pool, &looked->to, sizeof(looked->to));
	new->has_ttl = looked->ttl >= 0;
	new->ttl = (uint32_t)looked->ttl;
	new->has_tos = looked->tos >= 0;
	new->tos = (uint32_t)looked->tos;
	*vector_push(&queue->all) = new;
}

static int look_at_all(struct queue *queue)
{
	struct peeked_datagram looked = { .data = xmalloc(DATAGRAM_MAX) };
	union inet_address own;
	size_t total = 0;
	int more = inet_source(queue->entry, &own);

	while (more >= 0 && (more = peek_datagram(queue->fd, &looked)) > 0) {
		size_t step = looked.segment > 0 ? (size_t)looked.segment : looked.size;

		if (!looked.has_to) { /* it is bound to one address */
			looked.has_to = true;
			own.any.sa_family == AF_INET ? map_v4(own.v4.sin_addr, &looked.to)
						     : (void)(looked.to = own.v6.sin6_addr);
		}
		total += looked.size;
		if (!can_be_kept(queue, &looked) || total > TOTAL_MAX) {
			queue->lost++;
			continue;
		}
		for (size_t at = 0; at < looked.size || !at; at += step) {
			keep_one(queue, &looked, at, looked.size - at < step ? looked.size - at : step);
			if (!step)
				break;
		}
	}
	free(looked.data);
	return more;
}

struct switched {
	int level, option, value, before;
};

/* Sets what is needed to look, one after the other, and back again in the other order. */
static int look_with(struct queue *queue, struct switched *switched)
{
	socklen_t size = sizeof(int);
	int result, fd = queue->fd;

	if (!switched->option)
		return look_at_all(queue);
	if (getsockopt(fd, switched->level, switched->option, &switched->before, &size) < 0 ||
	    setsockopt(fd, switched->level, switched->option, &switched->value, sizeof(int)) < 0)
		return fail_errno("cannot prepare the socket for a look at its unread datagrams");
	result = look_with(queue, switched + 1);
	if (setsockopt(fd, switched->level, switched->option, &switched->before, sizeof(int)) < 0 && result >= 0)
		return fail_errno("cannot set the socket option %d back", switched->option);
	return result;
}

static bool is_any(const InetSkEntry *entry)
{
	uint32_t words = 0;

	for (size_t i = 0; i < entry->n_src_addr; i++)
		words |= entry->src_addr[i];
	return !words;
}

/* Why datagrams could go astray on their second way, or cannot be looked at; NULL if they can be kept. */
static const char *why_not(struct dump *d, int fd, const InetSkEntry *entry, short events)
{
	const struct socket_identity identity = { (int)entry->family, (int)entry->type, (int)entry->proto };
	bool shared = true;

	if (entry->proto != IPPROTO_UDP || entry->type != SOCK_DGRAM)
		return "only those of UDP can be kept";
	/* Whom of its group a datagram goes to, the kernel decides. */
	if (socket_is_on(fd, SOL_SOCKET, SO_REUSEPORT) &&
	    (socket_shares_name(d, &identity, entry->ino, &shared) < 0 || shared))
		return "the port is shared (SO_REUSEPORT)";
	if (entry->opts->so_bound_dev && strcmp(entry->opts->so_bound_dev, "lo") != 0)
		return "the socket is bound to a device";
	if (entry->has_shutdown && entry->shutdown & SK_SHUTDOWN__READ)
		return "the socket is shut down";
	return events & POLLERR ? "an error waits in front of them" : NULL;
}

int udp_queue_dump(struct dump *d, int fd, InetSkEntry *entry)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	struct switched switched[] = { { SOL_SOCKET, SO_PEEK_OFF, 0, 0 }, { IPPROTO_IP, IP_PKTINFO, 1, 0 }, { 0 } };
	struct queue queue = { .fd = fd, .entry = entry, .pool = d->pool };
	const char *why;
	int result;

	if (poll(&ready, 1, 0) <= 0 || !(ready.revents & POLLIN))
		return 0;
	why = why_not(d, fd, entry, ready.revents);
	if (why) {
		log_warn("Unread datagrams will be lost: %s", why);
		return 0;
	}
	if (!is_any(entry))
		switched[1].option = 0;
	else if (entry->family == AF_INET6)
		switched[1] = (struct switched){ IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, 0 };
	queue.asks_device = socket_is_on(fd, IPPROTO_IP, IP_PKTINFO) ||
			    (entry->family == AF_INET6 && socket_is_on(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO));
	result = look_with(&queue, switched);
	if (queue.lost)
		log_warn("%u unread datagrams will be lost: they are too many, or could not come once more as they "
			 "came (docs/SOCKETS.md)",
			 queue.lost);
	entry->n_unread = queue.all.n;
	entry->unread = pool_copy(d->pool, queue.all.items, queue.all.n * sizeof(*queue.all.items));
	vector_done(&queue.all);
	return result;
}

/* --- restore --- */

int udp_queue_check(const InetSkEntry *entry)
{
	for (size_t i = 0; i < entry->n_unread; i++) {
		const InetDatagramEntry *one = entry->unread[i];

		if (one->n_from != 4 || one->n_to != 4 || one->port > UINT16_MAX || one->data.len >= DATAGRAM_MAX)
			return refuse(EINVAL, "an unread datagram has no address, or too many bytes");
	}
	return 0;
}

struct udp_packet {
	union {
		struct ip v4;
		struct ip6_hdr v6;
	} header;
	char rest[sizeof(struct udphdr) + DATAGRAM_MAX];
};

static uint32_t add_words(uint32_t sum, const void *bytes, size_t size)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < size; i += 2)
		sum += (uint32_t)(b[i] << 8) + (i + 1 < size ? b[i + 1] : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* RFC 768, RFC 8200: over addresses, protocol, length, header and data. */
static uint16_t ip_checksum(const void *addresses, size_t size, const struct udphdr *udp, size_t length)
{
	uint32_t sum = add_words(IPPROTO_UDP, addresses, size);

	sum = add_words(sum + (uint32_t)length, udp, length);
	return sum == 0xffff ? 0xffff : htons((uint16_t)~sum);
}

/* Where the UDP header begins. The kernel completes that of IPv4 (raw(7)). */
static size_t build_header(struct udp_packet *packet, const InetDatagramEntry *one, bool v4, size_t length)
{
	if (v4) {
		packet->header.v4 = (struct ip){ .ip_v = 4,
						 .ip_hl = 5,
						 .ip_p = IPPROTO_UDP,
						 .ip_ttl = one->has_ttl ? (uint8_t)one->ttl : 64,
						 .ip_tos = one->has_tos ? (uint8_t)one->tos : 0,
						 .ip_len = htons((uint16_t)(sizeof(struct ip) + length)),
						 .ip_src.s_addr = one->from[3],
						 .ip_dst.s_addr = one->to[3] };
		return sizeof(struct ip);
	}
	packet->header.v6.ip6_flow = htonl(6u << 28 | (one->has_tos ? (one->tos & 0xff) << 20 : 0));
	packet->header.v6.ip6_plen = htons((uint16_t)length);
	packet->header.v6.ip6_nxt = IPPROTO_UDP;
	packet->header.v6.ip6_hlim = one->has_ttl ? (uint8_t)one->ttl : 64;
	memcpy(&packet->header.v6.ip6_src, one->from, 16);
	memcpy(&packet->header.v6.ip6_dst, one->to, 16);
	return sizeof(struct ip6_hdr);
}

static size_t build_packet(struct udp_packet *packet, const InetDatagramEntry *one, const InetSkEntry *entry, bool v4)
{
	size_t length = sizeof(struct udphdr) + one->data.len, at = build_header(packet, one, v4, length);
	struct udphdr *udp = (struct udphdr *)((char *)packet + at);

	*udp = (struct udphdr){ .uh_sport = htons((uint16_t)one->port),
				.uh_dport = htons((uint16_t)entry->src_port),
				.uh_ulen = htons((uint16_t)length) };
	memcpy(udp + 1, one->data.data, one->data.len);
	udp->uh_sum = v4 ? ip_checksum(&packet->header.v4.ip_src, 8, udp, length)
			 : ip_checksum(&packet->header.v6.ip6_src, 32, udp, length);
	return at + length;
}

/* What we send must not leave this machine. Bound to the loopback device it cannot; with IPv6 that finds no route to
   addresses of other devices, but the kernel chooses the own address of a local destination as source. */
static int open_sender(bool v4, const struct in6_addr *to)
{
	AUTO_CLOSE int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW), probe = -1;
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = *to };
	socklen_t size = sizeof(address);
	const int mark = SOCCR_MARK;

	if (fd < 0)
		return -errno;
	/* The network lock of a namespace lets nothing else pass. */
	(void)setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
	if (v4)
		return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) < 0 ? -errno : TAKE_FD(fd);
	probe = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (probe < 0 || connect(probe, (struct sockaddr *)&address, size) < 0 ||
	    getsockname(probe, (struct sockaddr *)&address, &size) < 0)
		return -errno;
	return IN6_ARE_ADDR_EQUAL(&address.sin6_addr, to) ? TAKE_FD(fd) : -EADDRNOTAVAIL;
}

static uint32_t used_memory(int fd)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t size = sizeof(info);

	(void)getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &size);
	return info[SK_MEMINFO_RMEM_ALLOC];
}

/* -errno, unlogged. */
static int put_one(int fd, const InetSkEntry *entry, const InetDatagramEntry *one, struct udp_packet *packet)
{
	const struct in6_addr *to = (const struct in6_addr *)one->to;
	bool v4 = IN6_IS_ADDR_V4MAPPED(to);
	AUTO_CLOSE int sender = open_sender(v4, to);
	struct deadline deadline = deadline_in_seconds(GRACE_DATAGRAM_S);
	union inet_address address = { 0 };
	uint32_t before = used_memory(fd);
	size_t size;

	if (sender < 0)
		return sender;
	size = build_packet(packet, one, entry, v4);
	address.any.sa_family = v4 ? AF_INET : AF_INET6;
	if (v4)
		address.v4.sin_addr.s_addr = one->to[3];
	else
		address.v6.sin6_addr = *to;
	if (sendto(sender, packet, size, 0, &address.any, inet_address_size(&address)) < 0)
		return -errno;
	/* It is here at once, but for a kernel that is busy. */
	while (used_memory(fd) <= before) {
		if (deadline_passed(&deadline))
			return -ETIMEDOUT;
		usleep(200);
	}
	return 0;
}

int udp_queue_restore(int fd, const InetSkEntry *entry)
{
	struct udp_packet *packet;
	const int on = 1;
	int result = 0;
	size_t i;

	if (!entry->n_unread)
		return 0;
	/* Each takes more of the buffer than its bytes. */
	TRY(socket_options_make_capacity(
		fd, 0, entry->opts->so_rcvbuf < INT32_MAX / 4 ? 2 * entry->opts->so_rcvbuf : INT32_MAX / 2));
	/* The kernel keeps the device only for those who ask for it. */
	if (entry->ip_opts && entry->ip_opts->pktinfo)
		(void)setsockopt(fd, entry->family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
				 entry->family == AF_INET ? IP_PKTINFO : IPV6_RECVPKTINFO, &on, sizeof(on));
	packet = xzalloc(sizeof(*packet));
	for (i = 0; i < entry->n_unread && result >= 0; i++)
		result = put_one(fd, entry, entry->unread[i], packet);
	free(packet);
	if (result < 0)
		log_warn("%zu of %zu unread datagrams are lost: %s", entry->n_unread - i + 1, entry->n_unread,
			 strerror(-result));
	return 0;
}
