/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections as the rules of the network lock name them. */
#include "object/net/lock/connections.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/table.h"
#include "base/vector.h"

static void print_address(int family, const uint32_t *words, char *to, size_t capacity, int *ret_family)
{
	bool mapped = family == AF_INET6 && !words[0] && !words[1] && words[2] == htonl(0xffff);

	if (family == AF_INET || mapped) {
		inet_ntop(AF_INET, &words[mapped ? 3 : 0], to, capacity);
		*ret_family = 4;
	} else {
		inet_ntop(AF_INET6, words, to, capacity);
		*ret_family = 6;
	}
}

void connections_add(struct connections *connections, const InetSkEntry *entry)
{
	struct locked_connection *new = vector_push(connections);

	*new = (struct locked_connection){ .self_port = entry->src_port, .peer_port = entry->dst_port };
	print_address((int)entry->family, entry->src_addr, new->self, sizeof(new->self), &new->family);
	print_address((int)entry->family, entry->dst_addr, new->peer, sizeof(new->peer), &new->family);
}

static bool is_other_end(const struct locked_connection *a, const struct locked_connection *b)
{
	return a->self_port == b->peer_port && a->peer_port == b->self_port && !strcmp(a->self, b->peer) &&
	       !strcmp(a->peer, b->self);
}

static uint64_t hash_ports(uint16_t low, uint16_t high)
{
	return low < high ? (uint64_t)low << 16 | high : (uint64_t)high << 16 | low;
}

/* Both ends of a connection have the same two ports. */
static void find_insiders(struct connections *connections)
{
	struct table *by_ports = table_create();

	for (size_t i = 0; i < connections->n; i++) {
		struct locked_connection *c = &connections->items[i];
		struct locked_connection *other = table_set(by_ports, hash_ports(c->self_port, c->peer_port), c);

		if (other && is_other_end(c, other))
			c->inside = other->inside = true;
	}
	table_destroy(&by_ports);
}

size_t connections_count_outside(struct connections *connections)
{
	size_t n = 0;

	find_insiders(connections);
	for (size_t i = 0; i < connections->n; i++)
		n += !connections->items[i].inside;
	return n;
}

/* Only addresses of this namespace can be bound to. */
static bool is_local(const struct locked_connection *c)
{
	AUTO_CLOSE int fd = socket(c->family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	if (c->family == 4 && inet_pton(AF_INET, c->self, &v4.sin_addr) == 1)
		return bind(fd, (struct sockaddr *)&v4, sizeof(v4)) == 0;
	return inet_pton(AF_INET6, c->self, &v6.sin6_addr) == 1 && bind(fd, (struct sockaddr *)&v6, sizeof(v6)) == 0;
}

const char *connections_find_local(struct connections *connections)
{
	find_insiders(connections);
	for (size_t i = 0; i < connections->n; i++)
		if (!connections->items[i].inside && is_local(&connections->items[i]))
			return connections->items[i].self;
	return NULL;
}
