/* SPDX-License-Identifier: LGPL-2.1-only */
/* libsoccr: segments that the other side would have sent. Some states cannot be entered but by receiving them. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "lib/soccr/sk.h"

#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36
#endif

#define OPTIONS_MAX 40 /* RFC 9293 */

/* One's complement sum of 16-bit words (RFC 1071); size is even. */
static uint32_t add_words(uint32_t sum, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	return sum;
}

static uint16_t finish_sum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* What a packet is behind the header of IP. */
struct body {
	struct tcphdr tcp;
	uint8_t rest[OPTIONS_MAX + LIBSOCCR_SEGMENT_MAX];
} __attribute__((packed));

struct packet_v4 {
	struct iphdr ip;
	struct body body;
} __attribute__((packed));

struct packet_v6 {
	struct ip6_hdr ip;
	struct body body;
} __attribute__((packed));

/* Returns the size; pseudo is the sum of the addresses. */
static size_t fill_body(struct body *body, const struct libsoccr_segment *segment, uint32_t pseudo)
{
	size_t size = sizeof(body->tcp) + segment->options_length + segment->length;
	struct tcphdr tcp = {
		/* The ports of both families lie at the same place. */
		.th_sport = segment->from->v4.sin_port,
		.th_dport = segment->to->v4.sin_port,
		.th_seq = htonl(segment->seq),
		.th_ack = htonl(segment->ack),
		.th_off = (sizeof(tcp) + segment->options_length) / 4,
		.th_flags = segment->flags,
		.th_win = htons(segment->window),
	};

	if (segment->options_length)
		memcpy(body->rest, segment->options, segment->options_length);
	if (segment->length)
		memcpy(body->rest + segment->options_length, segment->bytes, segment->length);
	body->rest[segment->options_length + segment->length] = 0; /* an odd byte is summed with a zero */
	body->tcp = tcp;
	tcp.th_sum = finish_sum(add_words(pseudo + IPPROTO_TCP + (uint32_t)size, body, size + (size & 1)));
	body->tcp = tcp;
	return size;
}

static int send_packet(int family, int include, int includes, const void *packet, size_t size, const void *to,
		       socklen_t to_size)
{
	const int on = 1, mark = SOCCR_MARK;
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	int result = -1;

	if (fd < 0)
		return soccr_fail("cannot open a raw socket");
	if (setsockopt(fd, include, includes, &on, sizeof(on)) < 0)
		soccr_fail("cannot send headers of our own");
	else if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0)
		soccr_fail("cannot mark a packet");
	else if (sendto(fd, packet, size, 0, to, to_size) != (ssize_t)size)
		soccr_fail("cannot send a segment to ourselves");
	else
		result = 0;
	close(fd);
	return result;
}

static int send_v4(const struct libsoccr_segment *segment, uint32_t from, uint32_t to)
{
	const struct sockaddr_in target = { .sin_family = AF_INET, .sin_addr.s_addr = to };
	struct packet_v4 packet;
	size_t size = sizeof(packet.ip) +
		      fill_body(&packet.body, segment, add_words(add_words(0, &from, sizeof(from)), &to, sizeof(to)));

	/* The kernel fills in the checksum of the IP header (raw(7)). */
	packet.ip = (struct iphdr){ .version = 4,
				    .ihl = 5,
				    .ttl = 255,
				    .protocol = IPPROTO_TCP,
				    .saddr = from,
				    .daddr = to,
				    .tot_len = htons((uint16_t)size) };
	return send_packet(AF_INET, IPPROTO_IP, IP_HDRINCL, &packet, size, &target, sizeof(target));
}

static int send_v6(const struct libsoccr_segment *segment)
{
	const struct in6_addr *from = &segment->from->v6.sin6_addr, *to = &segment->to->v6.sin6_addr;
	const struct sockaddr_in6 target = { .sin6_family = AF_INET6,
					     .sin6_addr = *to,
					     .sin6_scope_id = segment->to->v6.sin6_scope_id };
	struct packet_v6 packet;
	size_t size = fill_body(&packet.body, segment, add_words(add_words(0, from, sizeof(*from)), to, sizeof(*to)));

	memset(&packet.ip, 0, sizeof(packet.ip));
	packet.ip.ip6_flow = htonl(6u << 28);
	packet.ip.ip6_plen = htons((uint16_t)size);
	packet.ip.ip6_nxt = IPPROTO_TCP;
	packet.ip.ip6_hlim = 255;
	packet.ip.ip6_src = *from;
	packet.ip.ip6_dst = *to;
	return send_packet(AF_INET6, IPPROTO_IPV6, IPV6_HDRINCL, &packet, sizeof(packet.ip) + size, &target,
			   sizeof(target));
}

/* The IPv4 address inside ::ffff:a.b.c.d */
static uint32_t is_mapped(const struct in6_addr *address)
{
	uint32_t v4;

	memcpy(&v4, &address->s6_addr[12], sizeof(v4));
	return v4;
}

int libsoccr_send_segment(const struct libsoccr_segment *segment)
{
	if (segment->options_length > OPTIONS_MAX || segment->options_length % 4 ||
	    segment->length > LIBSOCCR_SEGMENT_MAX) {
		errno = EINVAL;
		return soccr_fail("a segment of this size cannot be sent");
	}
	if (segment->from->sa.sa_family == AF_INET)
		return send_v4(segment, segment->from->v4.sin_addr.s_addr, segment->to->v4.sin_addr.s_addr);
	if (IN6_IS_ADDR_V4MAPPED(&segment->from->v6.sin6_addr))
		return send_v4(segment, is_mapped(&segment->from->v6.sin6_addr), is_mapped(&segment->to->v6.sin6_addr));
	return send_v6(segment);
}
