/* SPDX-License-Identifier: GPL-2.0-only */
/* WireGuard devices by generic netlink: wg(8) need not be installed. */
#pragma once

#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/wireguard.h>
#include <net/if.h>
#include <sys/socket.h>

#include "net.h"

struct wg_request {
	_Alignas(8) char bytes[32768];
	uint32_t size;
};

static inline struct nlattr *wg_put(struct wg_request *request, uint16_t type, const void *data, size_t size)
{
	struct nlattr *attr = (struct nlattr *)(request->bytes + request->size);

	attr->nla_type = type;
	attr->nla_len = (uint16_t)(NLA_HDRLEN + size);
	if (size)
		memcpy(attr + 1, data, size);
	request->size += (uint32_t)NLA_ALIGN(attr->nla_len);
	return attr;
}

static inline void wg_end(struct wg_request *request, struct nlattr *nest)
{
	nest->nla_type |= NLA_F_NESTED;
	nest->nla_len = (uint16_t)(request->bytes + request->size - (char *)nest);
}

static inline struct wg_request *wg_begin(uint16_t family, uint8_t command, uint8_t version, uint16_t flags)
{
	static struct wg_request request;
	struct nlmsghdr *header = (struct nlmsghdr *)request.bytes;
	struct genlmsghdr *generic = (struct genlmsghdr *)(header + 1);

	memset(&request, 0, sizeof(request));
	header->nlmsg_type = family;
	header->nlmsg_flags = NLM_F_REQUEST | flags;
	generic->cmd = command;
	generic->version = version;
	request.size = sizeof(*header) + sizeof(*generic);
	return &request;
}

/* Sends it; the size of the next answer. */
static inline size_t wg_ask(int fd, struct wg_request *request, void *answer, size_t size)
{
	((struct nlmsghdr *)request->bytes)->nlmsg_len = request->size;
	must((int)send(fd, request->bytes, request->size, 0));
	return (size_t)must((int)recv(fd, answer, size, 0));
}

#define WG_FIRST(message) ((struct nlattr *)((char *)(message) + NLMSG_HDRLEN + GENL_HDRLEN))
#define WG_NEXT(attr)	  ((struct nlattr *)((char *)(attr) + NLA_ALIGN((attr)->nla_len)))
#define WG_IN(attr, end)  ((char *)(attr) + NLA_HDRLEN <= (char *)(end))

static inline int wg_open(uint16_t *family)
{
	int fd = must(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC));
	struct wg_request *request = wg_begin(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, 0);
	_Alignas(8) char answer[8192];
	size_t size;

	wg_put(request, CTRL_ATTR_FAMILY_NAME, WG_GENL_NAME, sizeof(WG_GENL_NAME));
	size = wg_ask(fd, request, answer, sizeof(answer));
	*family = 0;
	for (struct nlattr *a = WG_FIRST(answer); WG_IN(a, answer + size); a = WG_NEXT(a))
		if (a->nla_type == CTRL_ATTR_FAMILY_ID)
			memcpy(family, a + 1, sizeof(*family));
	CHECK(*family != 0);
	return fd;
}

static inline void wg_tell(int fd, struct wg_request *request)
{
	_Alignas(8) char answer[8192];
	const struct nlmsgerr *error = (const struct nlmsgerr *)(answer + NLMSG_HDRLEN);

	wg_ask(fd, request, answer, sizeof(answer));
	CHECK_EQUAL(error->error, 0);
}

static inline void wg_key(uint8_t *key, const char *hex)
{
	for (int i = 0; i < WG_KEY_LEN; i++) {
		unsigned byte;

		CHECK_EQUAL(sscanf(hex + 2 * i, "%2x", &byte), 1);
		key[i] = (uint8_t)byte;
	}
}

static inline void wg_set_device(const char *name, const char *private, uint16_t port, uint32_t mark)
{
	uint8_t key[WG_KEY_LEN];
	uint16_t family;
	int fd = wg_open(&family);
	struct wg_request *request = wg_begin(family, WG_CMD_SET_DEVICE, WG_GENL_VERSION, NLM_F_ACK);

	wg_key(key, private);
	wg_put(request, WGDEVICE_A_IFNAME, name, strlen(name) + 1);
	wg_put(request, WGDEVICE_A_PRIVATE_KEY, key, sizeof(key));
	wg_put(request, WGDEVICE_A_LISTEN_PORT, &port, sizeof(port));
	wg_put(request, WGDEVICE_A_FWMARK, &mark, sizeof(mark));
	wg_tell(fd, request);
	close(fd);
}

struct wg_peer {
	const char *public, *shared; /* shared may be NULL */
	const void *endpoint;	     /* NULL: none */
	size_t endpoint_size;
	uint16_t keepalive;
	uint32_t network; /* host order; n of /32 from there on */
	unsigned n_networks;
};

static inline void wg_put_networks(struct wg_request *request, const struct wg_peer *peer)
{
	struct nlattr *list = wg_put(request, WGPEER_A_ALLOWEDIPS, NULL, 0);

	for (unsigned i = 0; i < peer->n_networks; i++) {
		struct nlattr *one = wg_put(request, 0, NULL, 0);
		uint32_t address = htonl(peer->network + i);
		uint16_t family = AF_INET;
		uint8_t bits = 32;

		wg_put(request, WGALLOWEDIP_A_FAMILY, &family, sizeof(family));
		wg_put(request, WGALLOWEDIP_A_IPADDR, &address, sizeof(address));
		wg_put(request, WGALLOWEDIP_A_CIDR_MASK, &bits, sizeof(bits));
		wg_end(request, one);
	}
	wg_end(request, list);
}

static inline void wg_add_peer(const char *name, const struct wg_peer *peer)
{
	uint8_t key[WG_KEY_LEN];
	uint16_t family;
	int fd = wg_open(&family);
	struct wg_request *request = wg_begin(family, WG_CMD_SET_DEVICE, WG_GENL_VERSION, NLM_F_ACK);
	struct nlattr *peers, *one;

	wg_put(request, WGDEVICE_A_IFNAME, name, strlen(name) + 1);
	peers = wg_put(request, WGDEVICE_A_PEERS, NULL, 0);
	one = wg_put(request, 0, NULL, 0);
	wg_key(key, peer->public);
	wg_put(request, WGPEER_A_PUBLIC_KEY, key, sizeof(key));
	if (peer->shared) {
		wg_key(key, peer->shared);
		wg_put(request, WGPEER_A_PRESHARED_KEY, key, sizeof(key));
	}
	if (peer->endpoint)
		wg_put(request, WGPEER_A_ENDPOINT, peer->endpoint, peer->endpoint_size);
	wg_put(request, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, &peer->keepalive, sizeof(peer->keepalive));
	wg_put_networks(request, peer);
	wg_end(request, one);
	wg_end(request, peers);
	wg_tell(fd, request);
	close(fd);
}

static inline void wg_print(FILE *to, const struct nlattr *attr)
{
	const uint8_t *data = (const uint8_t *)(attr + 1);

	fprintf(to, " %u:", attr->nla_type & NLA_TYPE_MASK);
	for (int i = 0; i < attr->nla_len - NLA_HDRLEN; i++)
		fprintf(to, "%02x", data[i]);
}

/* All settings, in memory that is never freed; not what counts by itself. */
static inline void wg_print_peers(FILE *to, const struct nlattr *peers)
{
	for (struct nlattr *peer = (struct nlattr *)(peers + 1); WG_IN(peer, WG_NEXT(peers)); peer = WG_NEXT(peer)) {
		fprintf(to, "\npeer");
		for (struct nlattr *a = (struct nlattr *)(peer + 1); WG_IN(a, WG_NEXT(peer)); a = WG_NEXT(a)) {
			int type = a->nla_type & NLA_TYPE_MASK;

			if (type != WGPEER_A_LAST_HANDSHAKE_TIME && type != WGPEER_A_RX_BYTES &&
			    type != WGPEER_A_TX_BYTES)
				wg_print(to, a);
		}
	}
}

static inline char *wg_settings(const char *name)
{
	_Alignas(8) static char answer[65536];
	uint16_t family;
	int fd = wg_open(&family);
	struct wg_request *request = wg_begin(family, WG_CMD_GET_DEVICE, WG_GENL_VERSION, NLM_F_DUMP);
	char *text = NULL;
	size_t length, size;
	FILE *to = open_memstream(&text, &length);
	bool more = true;

	wg_put(request, WGDEVICE_A_IFNAME, name, strlen(name) + 1);
	size = wg_ask(fd, request, answer, sizeof(answer));
	while (more) {
		struct nlmsghdr *m = (struct nlmsghdr *)answer;

		for (size_t left = size; more && NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
			more = m->nlmsg_type == family;
			for (struct nlattr *a = WG_FIRST(m); more && WG_IN(a, (char *)m + m->nlmsg_len);
			     a = WG_NEXT(a)) {
				if ((a->nla_type & NLA_TYPE_MASK) == WGDEVICE_A_PEERS)
					wg_print_peers(to, a);
				else
					wg_print(to, a);
			}
		}
		if (more)
			size = (size_t)must((int)recv(fd, answer, sizeof(answer), 0));
	}
	fclose(to);
	close(fd);
	return text;
}

static inline void wg_compare(const char *name, const char *before)
{
	const char *after = wg_settings(name);

	if (strcmp(before, after) != 0)
		fprintf(stderr, "%s\n--- before\n%s\n--- after\n%s\n", name, before, after);
	CHECK(!strcmp(before, after));
}

static inline void need_wireguard(void)
{
	prepare_network();
	if (!runs("ip link add wg0 type wireguard"))
		skip("this kernel has no WireGuard");
}
