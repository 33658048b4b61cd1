/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses that are others here than where the dump was made: --tcp-map. */
#include "object/socket/inet/map.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/log.h"
#include "base/pool.h"
#include "object/socket/inet/address.h"
#include "options/options.h"
#include "session/session.h"

/* ::ffff:a.b.c.d, by which an IPv6 socket talks IPv4. */
static bool is_mapped(const uint32_t words[4])
{
	return !words[0] && !words[1] && words[2] == htonl(0xffff);
}

static bool is_address(const struct opt_address *wanted, const uint32_t *words, size_t n)
{
	if (wanted->family == AF_UNSPEC)
		return true;
	if (wanted->family == AF_INET6)
		return n == 4 && !memcmp(wanted->words, words, sizeof(wanted->words));
	return (n == 1 && wanted->words[0] == words[0]) || (n == 4 && is_mapped(words) && wanted->words[0] == words[3]);
}

/* A change of the family is impossible: the option does not allow it. */
static uint32_t *change_address(const struct opt_address *to, const uint32_t *words, size_t n, struct pool *pool)
{
	uint32_t *changed = pool_copy(pool, words, n * sizeof(*words));

	if (to->family == AF_INET6)
		memcpy(changed, to->words, sizeof(to->words));
	else if (to->family == AF_INET)
		changed[n - 1] = to->words[0];
	return changed;
}

static void map_end(const struct options *options, uint32_t **words, size_t n, uint32_t *port, struct pool *pool)
{
	for (size_t i = 0; i < options->tcp_maps.n; i++) {
		const struct opt_address_pair *pair = &options->tcp_maps.items[i];

		if (!is_address(&pair->from, *words, n) || (pair->from.port && pair->from.port != *port))
			continue;
		*words = change_address(&pair->to, *words, n, pool);
		if (pair->to.port)
			*port = pair->to.port;
		return;
	}
}

void inet_map_addresses(const struct restore *r, InetSkEntry *entry)
{
	char before[160], after[160];

	if (!r->options->tcp_maps.n)
		return;
	inet_print(entry, before, sizeof(before));
	map_end(r->options, &entry->src_addr, entry->n_src_addr, &entry->src_port, r->pool);
	map_end(r->options, &entry->dst_addr, entry->n_dst_addr, &entry->dst_port, r->pool);
	inet_print(entry, after, sizeof(after));
	if (strcmp(before, after))
		log_info("%s becomes %s", before, after);
}
