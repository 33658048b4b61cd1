/* SPDX-License-Identifier: GPL-2.0-only */
/* The network lock: which connections, from when, until when. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <soccr.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/table.h"
#include "fdinfo.pb-c.h"
#include "image/image.h"
#include "image/inventory.h"
#include "object/namespace/namespace.h"
#include "object/net/lock/lock.h"
#include "object/net/net.h"
#include "options/options.h"

/* Of one namespace. */
struct lock {
	uint32_t id;
	struct nft_ctx *nft; /* owns the table of this run; its netlink socket stays in the namespace */
	char table[80];
	struct connections connections;
	bool locked, cut_off; /* cut_off: as a whole */
	bool kept;	      /* rules that shall last until the restore are, or may be, there */
	int ns_fd;	      /* dump: of the namespace, when the tasks are gone; -1: criu's own */
};

struct network_lock {
	VECTOR(struct lock *) locks;
	VECTOR(int) held, dropped; /* copies of descriptors */
	bool silent;		   /* the held ones are in repair mode */
};

/* --- connections --- */

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

static bool is_other_end(const struct locked_connection *a, const struct locked_connection *b)
{
	return a->self_port == b->peer_port && a->peer_port == b->self_port && !strcmp(a->self, b->peer) &&
	       !strcmp(a->peer, b->self);
}

static void add_connection(struct lock *lock, const InetSkEntry *entry)
{
	struct locked_connection *new = vector_push(&lock->connections);

	*new = (struct locked_connection){ .self_port = entry->src_port, .peer_port = entry->dst_port };
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
		struct locked_connection *c = &connections->items[i];
		struct locked_connection *other = table_set(by_ports, hash_ports(c->self_port, c->peer_port), c);

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

static void destroy_locks(void *state)
{
	struct network_lock *network = state;

	for (size_t i = 0; i < network->locks.n; i++) {
		struct lock *lock = network->locks.items[i];

		nftables_done(&lock->nft);
		vector_done(&lock->connections);
		if (lock->ns_fd >= 0)
			close(lock->ns_fd);
		free(lock);
	}
	for (size_t i = 0; i < network->held.n; i++)
		close(network->held.items[i]);
	for (size_t i = 0; i < network->dropped.n; i++)
		close(network->dropped.items[i]);
	vector_done(&network->locks);
	vector_done(&network->held);
	vector_done(&network->dropped);
}

static const struct state_type lock_state = { sizeof(struct network_lock), destroy_locks };

/* NULL: nothing is to be locked. */
static struct network_lock *network_lock_of_dump(const struct dump *d)
{
	return state_find(d->states, &lock_state);
}

static struct network_lock *network_lock_of_restore(const struct restore *r)
{
	return state_find(r->states, &lock_state);
}

static struct lock *find_lock(struct states *states, uint32_t id)
{
	struct network_lock *network = state_find(states, &lock_state) ?: state_make(states, &lock_state);
	struct lock *lock;

	for (size_t i = 0; i < network->locks.n; i++)
		if (network->locks.items[i]->id == id)
			return network->locks.items[i];
	lock = *vector_push(&network->locks) = xzalloc(sizeof(*lock));
	lock->id = id;
	lock->ns_fd = -1;
	return lock;
}

/* Without nftables a tree that has no connections can do without. */
static void cut_off(struct lock *lock)
{
	lock->cut_off = lock->locked = nftables_cut_off(&lock->nft, lock->table, true) == 0;
	if (!lock->cut_off)
		log_warn("Packets cannot be kept away from network namespace %u: there is no nftables", lock->id);
}

/* --- dump --- */

static uint32_t namespace_id(const struct dump *d, const InetSkEntry *entry)
{
	return entry->has_ns_id && network_is_other(dump_namespaces(d), entry->ns_id) ? entry->ns_id : 0;
}

int network_dump_begin(struct dump *d)
{
	static const enum inventory_lock methods[] = {
		[OPT_LOCK_IPTABLES] = INVENTORY_LOCK_IPTABLES,
		[OPT_LOCK_NFTABLES] = INVENTORY_LOCK_NFTABLES,
		[OPT_LOCK_SKIP] = INVENTORY_LOCK_SKIP,
	};

	d->inventory->lock = methods[d->options->network_lock];
	return 0;
}

/* Restore asks the inventory, not its options: what is not there cannot be the method. */
static void choose_method(struct dump *d)
{
	if (d->inventory->lock != INVENTORY_LOCK_IPTABLES || iptables_is_there())
		return;
	log_info("There is no iptables here, nftables keeps the network locked after the dump");
	d->inventory->lock = INVENTORY_LOCK_NFTABLES;
}

void network_dump_add(struct dump *d, uint32_t id)
{
	choose_method(d);
	(void)find_lock(d->states, id);
}

int network_dump_cut_off(struct dump *d, uint32_t id)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	struct lock *lock = find_lock(d->states, id);

	choose_method(d);
	if (d->inventory->lock == INVENTORY_LOCK_SKIP || lock->locked)
		return 0;
	TRY(network_dump_enter(d, id, &entered));
	snprintf(lock->table, sizeof(lock->table), "CRIU-%s-dump", d->inventory->run_id);
	cut_off(lock);
	return 0;
}

int network_hold_connection(const struct dump *d, const InetSkEntry *entry, int fd, int *ret_fd)
{
	struct lock *lock = find_lock(d->states, namespace_id(d, entry));
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return fail_errno("cannot duplicate the descriptor of a connection");
	*vector_push(&network_lock_of_dump(d)->held) = *ret_fd = copy;
	add_connection(lock, entry);
	return 0;
}

static int lock_connections(struct dump *d, struct lock *lock)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;

	if (!lock->connections.n)
		return 0;
	TRY(network_dump_enter(d, lock->id, &entered));
	if (lock->id && lock->ns_fd < 0)
		lock->ns_fd = netns_open_own();
	if (lock->locked)
		return 0;
	snprintf(lock->table, sizeof(lock->table), "CRIU-%s-dump", d->inventory->run_id);
	return nftables_lock(&lock->nft, lock->table, true, lock->connections.items, lock->connections.n);
}

int network_lock_connections(struct dump *d)
{
	if (d->inventory->lock == INVENTORY_LOCK_SKIP || !network_lock_of_dump(d))
		return 0;
	choose_method(d);
	for (size_t i = 0; i < network_lock_of_dump(d)->locks.n; i++)
		TRY(lock_connections(d, network_lock_of_dump(d)->locks.items[i]));
	return 0;
}

int network_drop_connection(const struct dump *d, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return fail_errno("cannot duplicate the descriptor of a connection");
	(void)find_lock(d->states, 0);
	*vector_push(&network_lock_of_dump(d)->dropped) = copy;
	return 0;
}

static int lock_by_nftables(struct dump *d, struct lock *lock)
{
	AUTO(nftables_done) struct nft_ctx *nft = NULL;
	char table[64];

	snprintf(table, sizeof(table), "CRIU-%s", d->inventory->run_id);
	TRY(nftables_lock(&nft, table, false, NULL, 0));
	for (size_t i = 0; i < lock->connections.n; i++)
		if (!lock->connections.items[i].inside)
			TRY(nftables_lock(&nft, table, false, &lock->connections.items[i], 1));
	return 0;
}

/* What is left of a namespace without its tasks would refuse their clients. */
static int cut_off_until_restore(struct dump *d, struct lock *lock)
{
	AUTO(nftables_done) struct nft_ctx *nft = NULL;
	char table[64];

	snprintf(table, sizeof(table), "CRIU-%s", d->inventory->run_id);
	if (d->inventory->lock == INVENTORY_LOCK_IPTABLES ? iptables_cut_off() < 0
							  : nftables_cut_off(&nft, table, false) < 0)
		log_warn("Network namespace %u is not locked until the restore: clients may be refused", lock->id);
	else
		lock->kept = true;
	if (lock->kept)
		log_info("Network namespace %u, should it last, is locked until the restore. To give it up: %s",
			 lock->id,
			 d->inventory->lock == INVENTORY_LOCK_IPTABLES
				 ? "iptables -F CRIU"
				 : pool_printf(d->pool, "nft delete table inet %s", table));
	return 0;
}

/* One that somebody else keeps lasts; if not, its rules go with it. */
static int lock_namespace(struct dump *d, struct lock *lock)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;

	TRY(network_dump_enter(d, lock->id, &entered));
	if (lock->ns_fd < 0)
		lock->ns_fd = netns_open_own();
	if (lock->ns_fd < 0)
		return fail(-lock->ns_fd, "opening network namespace %u", lock->id);
	TRY(cut_off_until_restore(d, lock));
	if (lock->kept || !count_outsiders(&lock->connections))
		return 0;
	lock->kept = true;
	return lock_by_nftables(d, lock);
}

static int lock_until_restore(struct dump *d, struct lock *lock)
{
	if (d->inventory->lock == INVENTORY_LOCK_SKIP)
		return 0;
	if (lock->id)
		return lock_namespace(d, lock);
	if (!count_outsiders(&lock->connections))
		return 0;
	lock->kept = true;
	return d->inventory->lock == INVENTORY_LOCK_IPTABLES ? iptables_lock(&lock->connections)
							     : lock_by_nftables(d, lock);
}

/* Our copies keep the sockets: one that is closed in repair mode says no good-bye. */
static int make_silent(struct network_lock *network)
{
	const int on = 1;

	network->silent = true;
	for (size_t i = 0; i < network->held.n; i++)
		if (setsockopt(network->held.items[i], IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) < 0)
			return fail_errno(
				"cannot put a connection into repair mode: its other end would see it closed");
	return 0;
}

static void make_loud(struct network_lock *network)
{
	const int off = -1; /* TCP_REPAIR_OFF_NO_WP, Linux 4.19: without a window probe */

	for (size_t i = 0; i < network->held.n && network->silent; i++)
		if (setsockopt(network->held.items[i], IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)) < 0)
			log_warn("A connection stays in repair mode: %s", strerror(errno));
	network->silent = false;
}

/* A reset at the end: a connection that says good-bye keeps its port in use for a minute (TIME-WAIT). */
static void reset_dropped(struct network_lock *lock)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	for (size_t i = 0; i < lock->dropped.n; i++)
		if (setsockopt(lock->dropped.items[i], SOL_SOCKET, SO_LINGER, &now, sizeof(now)) < 0)
			log_warn("A connection that is not kept is closed slowly: %s", strerror(errno));
}

int network_dump_lock(struct dump *d)
{
	if (!network_lock_of_dump(d))
		return 0;
	for (size_t i = 0; i < network_lock_of_dump(d)->locks.n; i++)
		TRY(lock_until_restore(d, network_lock_of_dump(d)->locks.items[i]));
	return d->options->end == OPT_END_KILL ? make_silent(network_lock_of_dump(d)) : 0;
}

void network_dump_killed(struct dump *d)
{
	if (!network_lock_of_dump(d))
		return;
	reset_dropped(network_lock_of_dump(d));
	state_drop(d->states, &lock_state);
}

/* What was to last until the restore. */
static void unlock_kept(struct dump *d, struct lock *lock)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	AUTO(nftables_done) struct nft_ctx *nft = NULL;
	char table[64];

	if (!lock->kept)
		return;
	snprintf(table, sizeof(table), "CRIU-%s", d->inventory->run_id);
	if (lock->ns_fd >= 0 && netns_enter(&entered, lock->ns_fd) < 0) {
		log_warn("The network lock %s may be left in network namespace %u", table, lock->id);
		return;
	}
	if (d->inventory->lock == INVENTORY_LOCK_IPTABLES)
		(void)iptables_unlock(&lock->connections, lock->id != 0); /* logged */
	else
		(void)nftables_unlock(&nft, NULL, table); /* logged */
}

/* The tasks are stopped, and their sockets live: what they say must not be heard, should they be killed. */
static void tell_how_to_unlock(const struct dump *d)
{
	for (size_t i = 0; i < network_lock_of_dump(d)->locks.n; i++) {
		const struct lock *lock = network_lock_of_dump(d)->locks.items[i];
		char where[64] = "";

		if (!lock->kept)
			continue;
		if (lock->id)
			snprintf(where, sizeof(where), " in their network namespace %u", lock->id);
		if (d->inventory->lock == INVENTORY_LOCK_IPTABLES)
			log_warn("The network of the stopped tasks stays locked%s until the restore. To let them run "
				 "on instead, delete the rules with the mark 0x%x (iptables -S; ip6tables -S) first",
				 where, SOCCR_MARK);
		else
			log_warn("The network of the stopped tasks stays locked%s until the restore. To let them run "
				 "on instead, first: nft delete table inet CRIU-%s",
				 where, d->inventory->run_id);
	}
}

void network_dump_unlock(struct dump *d)
{
	network_open_doors(d);
	if (!network_lock_of_dump(d))
		return;
	make_loud(network_lock_of_dump(d));
	if (d->left_stopped)
		tell_how_to_unlock(d);
	else
		for (size_t i = 0; i < network_lock_of_dump(d)->locks.n; i++)
			unlock_kept(d, network_lock_of_dump(d)->locks.items[i]);
	state_drop(d->states, &lock_state);
}

/* --- undo --- */

/* The connections that the images have, as a lock knows them. */
static int read_connections(struct store *store, struct connections *ret)
{
	AUTO(image_close) struct image *image = NULL;
	struct lock lock = { 0 };
	FileEntry *entry;
	int more;

	more = image_open(store, &image, IMAGE_FILES);
	if (more < 0)
		return more == -ENOENT ? 0 : more; /* a pre-dump locks nothing */
	while ((more = image_read(image, &entry)) > 0)
		if (entry->isk && entry->isk->dst_port && entry->isk->n_src_addr && entry->isk->n_dst_addr)
			add_connection(&lock, entry->isk);
	*ret = lock.connections;
	return more;
}

static int undo_nftables(const char *run_id)
{
	AUTO(nftables_done) struct nft_ctx *nft = NULL;
	char table[64];

	snprintf(table, sizeof(table), "CRIU-%s", run_id);
	return nftables_remove(&nft, table);
}

static bool is_other(int proc)
{
	struct stat theirs, ours;

	return fstatat(proc, "ns/net", &theirs, 0) == 0 && stat("/proc/self/ns/net", &ours) == 0 &&
	       theirs.st_ino != ours.st_ino;
}

int network_undo(struct store *store, const struct inventory *inventory, int proc)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	AUTO_CLOSE int ns = proc >= 0 ? openat(proc, "ns/net", O_RDONLY | O_CLOEXEC) : -1;
	const bool other = proc >= 0 && is_other(proc);
	struct connections connections = { 0 };
	int error;

	if (inventory->lock == INVENTORY_LOCK_SKIP || !inventory->run_id[0])
		return 0;
	if (proc >= 0 && (ns < 0 || netns_enter(&entered, ns) < 0))
		return fail_errno("its network namespace cannot be entered");
	if (inventory->lock == INVENTORY_LOCK_NFTABLES)
		return undo_nftables(inventory->run_id);
	if (!iptables_is_there())
		return 0;
	error = read_connections(store, &connections);
	if (error == 0)
		error = iptables_unlock(&connections, other);
	vector_done(&connections);
	return error;
}

/* --- restore --- */

void network_restore_add(const struct restore *r, const InetSkEntry *entry)
{
	add_connection(find_lock(r->states, entry->has_ns_id && network_is_other(restore_namespaces(r), entry->ns_id)
						    ? entry->ns_id
						    : 0),
		       entry);
}

static void name_table(struct restore *r, struct lock *lock)
{
	snprintf(lock->table, sizeof(lock->table), "CRIU-%s-restore-%d", r->inventory->run_id, getpid());
}

int network_restore_cut_off(struct restore *r, uint32_t id)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	struct lock *lock = find_lock(r->states, id);

	if (r->inventory->lock == INVENTORY_LOCK_SKIP || lock->locked)
		return 0;
	TRY(network_restore_enter(r, id, &entered));
	name_table(r, lock);
	cut_off(lock);
	return 0;
}

static int lock_for_restore(struct restore *r, struct lock *lock)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;

	if (lock->locked || !lock->connections.n)
		return 0;
	lock->locked = true;
	name_table(r, lock);
	TRY(network_restore_enter(r, lock->id, &entered));
	return nftables_lock(&lock->nft, lock->table, true, lock->connections.items, lock->connections.n);
}

int network_restore_lock(struct restore *r)
{
	if (!network_lock_of_restore(r) || r->inventory->lock == INVENTORY_LOCK_SKIP)
		return 0;
	for (size_t i = 0; i < network_lock_of_restore(r)->locks.n; i++)
		TRY(lock_for_restore(r, network_lock_of_restore(r)->locks.items[i]));
	return 0;
}

/* The table that the dump left has its run id, older programs took the pid of the root task. */
static const char *kept_table(struct restore *r, char *to, size_t capacity)
{
	if (r->inventory->run_id[0])
		snprintf(to, capacity, "CRIU-%s", r->inventory->run_id);
	else
		snprintf(to, capacity, "CRIU-%d", r->tree->root->vpid);
	return to;
}

static int unlock_network(struct restore *r, struct lock *lock)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	bool kept = lock->kept || count_outsiders(&lock->connections);
	bool iptables = r->inventory->lock == INVENTORY_LOCK_IPTABLES;
	char table[64];

	TRY(network_restore_enter(r, lock->id, &entered));
	if (kept && iptables && (lock->kept || !lock->id) && iptables_is_there())
		TRY(iptables_unlock(&lock->connections, lock->kept));
	/* Dumps before this one locked other namespaces by nftables in any case. */
	return nftables_unlock(&lock->nft, lock->table,
			       kept && (!iptables || lock->id) ? kept_table(r, table, sizeof(table)) : NULL);
}

/* All at one moment, and as short as can be: if we are killed from here on until the tasks run, the connections are
 * lost. */
int network_restore_unlock(struct restore *r)
{
	struct namespace *ns;

	for_each_namespace(ns, restore_namespaces(r))
		if (ns->kind->flag == CLONE_NEWNET && network_has_lasted(ns))
			find_lock(r->states, ns->id)->kept = true;
	if (!network_lock_of_restore(r))
		return 0;
	if (r->inventory->lock != INVENTORY_LOCK_SKIP)
		for (size_t i = 0; i < network_lock_of_restore(r)->locks.n; i++)
			TRY(unlock_network(r, network_lock_of_restore(r)->locks.items[i]));
	network_restore_end(r);
	return 0;
}

void network_restore_end(struct restore *r)
{
	state_drop(r->states, &lock_state);
}
