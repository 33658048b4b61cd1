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

/* One's complement sum of 16-bit words (RFC 1071). */
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

static void fill_tcp(struct tcphdr *tcp, const struct soccr_segment *segment, uint32_t pseudo)
{
	memset(tcp, 0, sizeof(*tcp));
	/* The ports of both families lie at the same place. */
	tcp->th_sport = segment->from->v4.sin_port;
	tcp->th_dport = segment->to->v4.sin_port;
	tcp->th_seq = htonl(segment->seq);
	tcp->th_ack = htonl(segment->ack);
	tcp->th_off = sizeof(*tcp) / 4;
	tcp->th_flags = segment->fin ? TH_FIN | TH_ACK : TH_ACK;
	tcp->th_win = htons(segment->window > UINT16_MAX ? UINT16_MAX : (uint16_t)segment->window);
	tcp->th_sum = finish_sum(add_words(pseudo + IPPROTO_TCP + sizeof(*tcp), tcp, sizeof(*tcp)));
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

static int send_v4(const struct soccr_segment *segment, uint32_t from, uint32_t to)
{
	const struct sockaddr_in target = { .sin_family = AF_INET, .sin_addr.s_addr = to };
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} packet = { .ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP, .saddr = from, .daddr = to } };

	packet.ip.tot_len = htons(sizeof(packet));
	fill_tcp(&packet.tcp, segment, add_words(add_words(0, &from, sizeof(from)), &to, sizeof(to)));
	/* The kernel fills in the checksum of the IP header (raw(7)). */
	return send_packet(AF_INET, IPPROTO_IP, IP_HDRINCL, &packet, sizeof(packet), &target, sizeof(target));
}

static int send_v6(const struct soccr_segment *segment)
{
	const struct in6_addr *from = &segment->from->v6.sin6_addr, *to = &segment->to->v6.sin6_addr;
	const struct sockaddr_in6 target = { .sin6_family = AF_INET6,
					     .sin6_addr = *to,
					     .sin6_scope_id = segment->to->v6.sin6_scope_id };
	struct {
		struct ip6_hdr ip;
		struct tcphdr tcp;
	} packet = { 0 };

	packet.ip.ip6_flow = htonl(6u << 28);
	packet.ip.ip6_plen = htons(sizeof(packet.tcp));
	packet.ip.ip6_nxt = IPPROTO_TCP;
	packet.ip.ip6_hlim = 64;
	packet.ip.ip6_src = *from;
	packet.ip.ip6_dst = *to;
	fill_tcp(&packet.tcp, segment, add_words(add_words(0, from, sizeof(*from)), to, sizeof(*to)));
	return send_packet(AF_INET6, IPPROTO_IPV6, IPV6_HDRINCL, &packet, sizeof(packet), &target, sizeof(target));
}

/* The IPv4 address inside ::ffff:a.b.c.d */
static uint32_t is_mapped(const struct in6_addr *address)
{
	uint32_t v4;

	memcpy(&v4, &address->s6_addr[12], sizeof(v4));
	return v4;
}

int soccr_send_segment(const struct soccr_segment *segment)
{
	if (segment->from->sa.sa_family == AF_INET)
		return send_v4(segment, segment->from->v4.sin_addr.s_addr, segment->to->v4.sin_addr.s_addr);
	if (IN6_IS_ADDR_V4MAPPED(&segment->from->v6.sin6_addr))
		return send_v4(segment, is_mapped(&segment->from->v6.sin6_addr), is_mapped(&segment->to->v6.sin6_addr));
	return send_v6(segment);
}
