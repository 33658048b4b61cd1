/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses of internet sockets, between the kernel's form and the record. */
#include "object/socket/inet/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/pool.h"
#include "kern/net/sockdiag.h"
#include "object/socket/inet/inet.h"

static size_t words_of(const InetSkEntry *entry)
{
	return entry->family == AF_INET ? 1 : 4;
}

static uint32_t *new_words(const InetSkEntry *entry, struct pool *pool, const void *from)
{
	uint32_t *words = pool_array(pool, uint32_t, words_of(entry));

	if (from)
		memcpy(words, from, words_of(entry) * sizeof(uint32_t));
	return words;
}

static const void *address_bytes(const union inet_address *address)
{
	return address->any.sa_family == AF_INET ? (const void *)&address->v4.sin_addr : &address->v6.sin6_addr;
}

/* sin_port and sin6_port lie at the same place. */
static uint16_t port_of(const union inet_address *address)
{
	return ntohs(address->v4.sin_port);
}

static void take_device(InetSkEntry *entry, const union inet_address *address, struct pool *pool)
{
	char name[IF_NAMESIZE];

	if (address->any.sa_family == AF_INET6 && address->v6.sin6_scope_id &&
	    if_indextoname(address->v6.sin6_scope_id, name))
		entry->ifname = pool_string(pool, name);
}

int inet_dump_addresses(int fd, const struct inet_diag *diag, InetSkEntry *entry, struct pool *pool)
{
	union inet_address address = { 0 };
	socklen_t size = sizeof(address);

	if (getsockname(fd, &address.any, &size) < 0)
		return fail_errno("cannot ask for the address of the socket");
	entry->src_port = port_of(&address);
	entry->src_addr = new_words(entry, pool, address_bytes(&address));
	entry->n_src_addr = entry->n_dst_addr = words_of(entry);
	take_device(entry, &address, pool);
	size = sizeof(address);
	if (!getpeername(fd, &address.any, &size)) {
		entry->dst_port = port_of(&address);
		entry->dst_addr = new_words(entry, pool, address_bytes(&address));
		take_device(entry, &address, pool);
		return 0;
	}
	if (errno != ENOTCONN)
		return fail_errno("cannot ask for the peer of the socket");
	/* A connection that has ended remembers it; the length must be that of its family. */
	size = entry->family == AF_INET ? sizeof(address.v4) : sizeof(address.v6);
	if (entry->type == SOCK_STREAM && !getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &address, &size) &&
	    port_of(&address)) {
		entry->dst_port = port_of(&address);
		entry->dst_addr = new_words(entry, pool, address_bytes(&address));
		take_device(entry, &address, pool);
		return 0;
	}
	/* Of a connection that is just being made only the kernel's table tells the peer. */
	entry->dst_port = diag ? diag->dst_port : 0;
	entry->dst_addr = new_words(entry, pool, diag ? diag->dst : NULL);
	return 0;
}

int inet_check_addresses(const InetSkEntry *entry)
{
	if (entry->n_src_addr != words_of(entry) || (entry->n_dst_addr != words_of(entry) && entry->n_dst_addr))
		return refuse(EINVAL, "its addresses have %zu and %zu words", entry->n_src_addr, entry->n_dst_addr);
	if (entry->src_port > UINT16_MAX || entry->dst_port > UINT16_MAX)
		return refuse(EINVAL, "its ports %u and %u are too large", entry->src_port, entry->dst_port);
	return 0;
}

static bool is_given(uint32_t port, const uint32_t *words, size_t n)
{
	uint32_t any = port;

	for (size_t i = 0; i < n; i++)
		any |= words[i];
	return any;
}

bool inet_is_bound(const InetSkEntry *entry)
{
	return is_given(entry->src_port, entry->src_addr, entry->n_src_addr);
}

bool inet_is_connected(const InetSkEntry *entry)
{
	return is_given(entry->dst_port, entry->dst_addr, entry->n_dst_addr);
}

static int fill_address(const InetSkEntry *entry, uint32_t port, const uint32_t *words, union inet_address *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->any.sa_family = entry->family;
	ret->v4.sin_port = htons(port);
	memcpy((void *)address_bytes(ret), words, words_of(entry) * sizeof(uint32_t));
	if (entry->family != AF_INET6 || !entry->ifname)
		return 0;
	ret->v6.sin6_scope_id = if_nametoindex(entry->ifname);
	return ret->v6.sin6_scope_id ? 0 : fail_errno("there is no network device %s", entry->ifname);
}

int inet_source(const InetSkEntry *entry, union inet_address *ret)
{
	return fill_address(entry, entry->src_port, entry->src_addr, ret);
}

int inet_destination(const InetSkEntry *entry, union inet_address *ret)
{
	if (!entry->n_dst_addr)
		return refuse(EINVAL, "it has no address of a peer");
	return fill_address(entry, entry->dst_port, entry->dst_addr, ret);
}

void inet_print(const InetSkEntry *entry, char *to, size_t capacity)
{
	char source[INET6_ADDRSTRLEN] = "?", destination[INET6_ADDRSTRLEN] = "?";

	inet_ntop((int)entry->family, entry->src_addr, source, sizeof(source));
	inet_ntop((int)entry->family, entry->dst_addr, destination, sizeof(destination));
	snprintf(to, capacity, "%s:%u -> %s:%u", source, entry->src_port, destination, entry->dst_port);
}
