/* SPDX-License-Identifier: GPL-2.0-only */
/* The network lock: which connections, from when, until when. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/table.h"
#include "image/inventory.h"
#include "object/net/lock.h"
#include "object/net/net.h"
#include "options/options.h"

struct network_lock {
	struct nft_ctx *nft; /* owns the table of this run */
	char table[80];	     /* its name, in a restore */
	struct connections connections;
	VECTOR(int) held, dropped; /* copies of descriptors */
	bool locked;
};

/* --- connections --- */

static void print_address(int family, const uint32_t *words, char *to, size_t room, int *ret_family)
{
	bool mapped = family == AF_INET6 && !words[0] && !words[1] && words[2] == htonl(0xffff);

	if (family == AF_INET || mapped) {
		inet_ntop(AF_INET, &words[mapped ? 3 : 0], to, room);
		*ret_family = 4;
	} else {
		inet_ntop(AF_INET6, words, to, room);
		*ret_family = 6;
	}
}

static bool is_other_end(const struct connection *a, const struct connection *b)
{
	return a->self_port == b->peer_port && a->peer_port == b->self_port && !strcmp(a->self, b->peer) &&
	       !strcmp(a->peer, b->self);
}

static void add_connection(struct network_lock *lock, const InetSkEntry *entry)
{
	struct connection *new = vector_push(&lock->connections);

	*new = (struct connection){ .self_port = entry->src_port, .peer_port = entry->dst_port };
	print_address((int)entry->family, entry->src_addr, new->self, sizeof(new->self), &new->family);
	print_address((int)entry->family, entry->dst_addr, new->peer, sizeof(new->peer), &new->family);
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
		struct connection *c = &connections->items[i];
		struct connection *other = table_set(by_ports, hash_ports(c->self_port, c->peer_port), c);

		if (other && is_other_end(c, other))
			c->inside = other->inside = true;
	}
	table_destroy(&by_ports);
}

static size_t count_outsiders(struct connections *connections)
{
	size_t n = 0;

	find_insiders(connections);
	for (size_t i = 0; i < connections->n; i++)
		n += !connections->items[i].inside;
	return n;
}

static void free_lock(struct network_lock **place)
{
	struct network_lock *lock = TAKE_PTR(*place);

	if (!lock)
		return;
	nftables_done(&lock->nft);
	for (size_t i = 0; i < lock->held.n; i++)
		close(lock->held.items[i]);
	for (size_t i = 0; i < lock->dropped.n; i++)
		close(lock->dropped.items[i]);
	vector_done(&lock->held);
	vector_done(&lock->dropped);
	vector_done(&lock->connections);
	free(lock);
}

/* --- dump --- */

static struct network_lock *lock_of_dump(struct dump *d)
{
	if (!d->network)
		d->network = xzalloc(sizeof(*d->network));
	return d->network;
}

void network_dump_begin(struct dump *d)
{
	static const enum inventory_lock methods[] = {
		[OPT_LOCK_IPTABLES] = INVENTORY_LOCK_IPTABLES,
		[OPT_LOCK_NFTABLES] = INVENTORY_LOCK_NFTABLES,
		[OPT_LOCK_SKIP] = INVENTORY_LOCK_SKIP,
	};

	d->inventory->lock = methods[d->options->network_lock];
}

/* Restore asks the inventory, not its options: what is not there cannot be the method. */
static void choose_method(struct dump *d)
{
	if (d->inventory->lock != INVENTORY_LOCK_IPTABLES || iptables_is_there())
		return;
	log_info("There is no iptables here, nftables keeps the network locked after the dump");
	d->inventory->lock = INVENTORY_LOCK_NFTABLES;
}

int network_hold_connection(struct dump *d, const InetSkEntry *entry, int fd, int *ret_fd)
{
	struct network_lock *lock = lock_of_dump(d);
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return fail_errno("cannot duplicate the descriptor of a connection");
	*vector_push(&lock->held) = *ret_fd = copy;
	add_connection(lock, entry);
	return 0;
}

int network_lock_connections(struct dump *d)
{
	struct network_lock *lock = lock_of_dump(d);
	char table[64];

	if (d->inventory->lock == INVENTORY_LOCK_SKIP)
		return 0;
	choose_method(d);
	snprintf(table, sizeof(table), "CRIU-%s-dump", d->inventory->run_id);
	return nftables_lock(&lock->nft, table, true, lock->connections.items, lock->connections.n);
}

int network_drop_connection(struct dump *d, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return fail_errno("cannot duplicate the descriptor of a connection");
	*vector_push(&lock_of_dump(d)->dropped) = copy;
	return 0;
}

static int lock_until_restore(struct dump *d, struct network_lock *lock)
{
	AUTO(nftables_done) struct nft_ctx *nft = NULL;
	char table[64];

	if (d->inventory->lock == INVENTORY_LOCK_SKIP || !count_outsiders(&lock->connections))
		return 0;
	if (d->inventory->lock == INVENTORY_LOCK_IPTABLES)
		return iptables_lock(&lock->connections);
	snprintf(table, sizeof(table), "CRIU-%s", d->inventory->run_id);
	TRY(nftables_lock(&nft, table, false, NULL, 0));
	for (size_t i = 0; i < lock->connections.n; i++)
		if (!lock->connections.items[i].inside)
			TRY(nftables_lock(&nft, table, false, &lock->connections.items[i], 1));
	return 0;
}

/* Until now our copies kept the sockets: a socket that is closed in repair mode says no good-bye. */
static int close_unseen(struct network_lock *lock)
{
	const int on = 1;
	int result = 0;

	for (size_t i = 0; i < lock->held.n; i++)
		if (setsockopt(lock->held.items[i], IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) < 0)
			result = fail_errno("cannot put a connection into repair mode; its other end will see it closed");
	return result;
}

/* A reset at the end: a connection that says good-bye keeps its port in use for a minute (TIME-WAIT). */
static void reset_dropped(struct network_lock *lock)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	for (size_t i = 0; i < lock->dropped.n; i++)
		if (setsockopt(lock->dropped.items[i], SOL_SOCKET, SO_LINGER, &now, sizeof(now)) < 0)
			log_warn("A connection that is not kept is closed slowly: %s", strerror(errno));
}

int network_dump_keep(struct dump *d)
{
	if (!d->network)
		return 0;
	reset_dropped(d->network);
	TRY(lock_until_restore(d, d->network));
	TRY(close_unseen(d->network));
	network_dump_end(d);
	return 0;
}

void network_dump_end(struct dump *d)
{
	free_lock(&d->network);
}

/* --- restore --- */

void network_restore_add(struct restore *r, const InetSkEntry *entry)
{
	if (!r->network)
		r->network = xzalloc(sizeof(*r->network));
	add_connection(r->network, entry);
}

int network_restore_lock(struct restore *r)
{
	struct network_lock *lock = r->network;

	if (!lock || lock->locked || r->inventory->lock == INVENTORY_LOCK_SKIP)
		return 0;
	lock->locked = true;
	snprintf(lock->table, sizeof(lock->table), "CRIU-%s-restore-%d", r->inventory->run_id, getpid());
	return nftables_lock(&lock->nft, lock->table, true, lock->connections.items, lock->connections.n);
}

/* The table that the dump left has its run id, older programs took the pid of the root task. */
static const char *kept_table(struct restore *r, char *to, size_t room)
{
	if (r->inventory->lock == INVENTORY_LOCK_IPTABLES)
		return NULL;
	if (r->inventory->run_id[0])
		snprintf(to, room, "CRIU-%s", r->inventory->run_id);
	else
		snprintf(to, room, "CRIU-%d", r->tree->root->vpid);
	return to;
}

/* All at one moment, and as short as can be: if we are killed from here on until the tasks run, the connections are lost. */
int network_restore_unlock(struct restore *r)
{
	struct network_lock *lock = r->network;
	bool kept;
	char table[64];

	if (!lock)
		return 0;
	if (r->inventory->lock != INVENTORY_LOCK_SKIP) {
		kept = count_outsiders(&lock->connections);
		if (kept && r->inventory->lock == INVENTORY_LOCK_IPTABLES && iptables_is_there())
			TRY(iptables_unlock(&lock->connections));
		TRY(nftables_unlock(&lock->nft, lock->table, kept ? kept_table(r, table, sizeof(table)) : NULL));
	}
	network_restore_end(r);
	return 0;
}

void network_restore_end(struct restore *r)
{
	free_lock(&r->network);
}
