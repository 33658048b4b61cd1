/* SPDX-License-Identifier: GPL-2.0-only */
/* The network lock: which connections, from when, until when. */
#include "object/net/lock/lock.h"

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
#include "image/record.h"
#include "object/namespace/namespace.h"
#include "object/net/lock/connections.h"
#include "object/net/lock/doors.h"
#include "object/net/lock/held.h"
#include "object/net/lock/iptables.h"
#include "object/net/lock/nftables.h"
#include "object/net/lock/silence.h"
#include "object/net/net.h"
#include "object/net/switch.h"
#include "options/options.h"
#include "session/listener.h"

/* Of one namespace. */
struct lock {
	uint32_t id;
	struct nft_ctx *nft; /* owns the table of this run; its netlink socket stays in the namespace */
	char table[80];
	struct connections connections;
	bool locked, cut_off; /* cut_off: as a whole */
	bool of_tree;	      /* dump: it may die with its tasks */
	bool kept;	      /* rules that shall last until the restore are, or may be, there */
	int ns_fd;	      /* dump: of the namespace, when the tasks are gone; -1: criu's own */
};

struct network_lock {
	VECTOR(struct lock *) locks;
	struct held held;
};

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
	vector_done(&network->locks);
	held_done(&network->held);
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
	lock->of_tree = true;
	if (d->inventory->lock == INVENTORY_LOCK_SKIP || lock->locked)
		return 0;
	TRY(network_dump_enter(d, id, &entered));
	snprintf(lock->table, sizeof(lock->table), "CRIU-%s-dump", d->inventory->run_id);
	cut_off(lock);
	return 0;
}

void network_add_connection(const struct dump *d, const InetSkEntry *entry)
{
	connections_add(&find_lock(d->states, namespace_id(d, entry))->connections, entry);
}

int network_hold_connection(const struct dump *d, const InetSkEntry *entry, int fd, bool unrepairable, int *ret_fd)
{
	network_add_connection(d, entry);
	return held_copy(&network_lock_of_dump(d)->held, unrepairable ? HELD_UNREPAIRABLE : HELD_REPAIRABLE, fd,
			 ret_fd);
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
	int copy;

	(void)find_lock(d->states, 0);
	return held_copy(&network_lock_of_dump(d)->held, HELD_DROPPED, fd, &copy);
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
	if (d->inventory->lock == INVENTORY_LOCK_SKIP)
		return 0;
	TRY(cut_off_until_restore(d, lock));
	if (lock->kept || !connections_count_outside(&lock->connections))
		return 0;
	lock->kept = true;
	return lock_by_nftables(d, lock);
}

static int lock_until_restore(struct dump *d, struct lock *lock)
{
	if (lock->id)
		return lock_namespace(d, lock);
	if (d->inventory->lock == INVENTORY_LOCK_SKIP)
		return 0;
	if (!connections_count_outside(&lock->connections))
		return 0;
	lock->kept = true;
	return d->inventory->lock == INVENTORY_LOCK_IPTABLES ? iptables_lock(&lock->connections)
							     : lock_by_nftables(d, lock);
}

int network_dump_lock(struct dump *d)
{
	if (!network_lock_of_dump(d))
		return 0;
	for (size_t i = 0; i < network_lock_of_dump(d)->locks.n; i++)
		TRY(lock_until_restore(d, network_lock_of_dump(d)->locks.items[i]));
	/* Tasks that move are dead only later; nobody may find connections in repair mode meanwhile. */
	if (d->options->end != OPT_END_KILL || listener_moves(d->listener))
		return 0;
	return held_silence(&network_lock_of_dump(d)->held);
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

/* No restore will come here. As long as an address is, somebody may send to it, and would get a reset. */
static void unlock_moved(struct dump *d, struct lock *lock)
{
	const char *address = lock->kept && !lock->id ? connections_find_local(&lock->connections) : NULL;

	/* What outlives the tasks of another namespace has no use for a lock either. */
	if (!address)
		unlock_kept(d, lock);
	else if (d->inventory->lock == INVENTORY_LOCK_IPTABLES)
		log_warn("The address %s is still here, so rules keep packets of the connections that have moved away "
			 "from it: delete those with the mark 0x%x (iptables -S; ip6tables -S)",
			 address, SOCCR_MARK);
	else
		log_warn("The address %s is still here, so the rules that keep packets of the connections that have "
			 "moved away from it stay: nft delete table inet CRIU-%s",
			 address, d->inventory->run_id);
}

/* Our descriptor is the last thing that keeps it, or somebody else does. */
static void let_die(const struct dump *d, struct lock *lock)
{
	nftables_done(&lock->nft); /* its socket is a user, too */
	if (lock->of_tree && lock->ns_fd >= 0 && connections_count_outside(&lock->connections))
		network_silence(d, lock->ns_fd);
}

void network_dump_killed(struct dump *d)
{
	struct network_lock *network = network_lock_of_dump(d);

	if (!network)
		return;
	held_reset(&network->held);
	if (listener_moves(d->listener))
		held_end_moved(&network->held);
	held_done(&network->held);
	for (size_t i = 0; i < network->locks.n; i++)
		let_die(d, network->locks.items[i]);
	for (size_t i = 0; i < network->locks.n && listener_moves(d->listener); i++)
		unlock_moved(d, network->locks.items[i]);
	state_destroy(d->states, &lock_state);
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
	held_let_speak(&network_lock_of_dump(d)->held);
	if (d->left_stopped)
		tell_how_to_unlock(d);
	else
		for (size_t i = 0; i < network_lock_of_dump(d)->locks.n; i++)
			unlock_kept(d, network_lock_of_dump(d)->locks.items[i]);
	state_destroy(d->states, &lock_state);
}

/* --- undo --- */

static void add_if_connected(struct lock *lock, const InetSkEntry *entry)
{
	if (entry && entry->dst_port && entry->n_src_addr && entry->n_dst_addr)
		connections_add(&lock->connections, entry);
}

/* The connections that the images have, as a lock knows them. A pre-dump has none of these images, and locks nothing.
 */
static int read_connections(struct store *store, struct lock *lock)
{
	AUTO(image_close) struct image *files = NULL, *backlog = NULL;
	TcpWaitingEntry *waiting;
	FileEntry *entry;
	int more = image_open(store, &files, IMAGE_FILES);

	while (more >= 0 && (more = image_read(files, &entry)) > 0)
		add_if_connected(lock, entry->isk);
	if (more >= 0)
		more = image_open(store, &backlog, IMAGE_TCP_BACKLOG);
	while (more >= 0 && (more = image_read(backlog, &waiting)) > 0)
		add_if_connected(lock, waiting->socket);
	return more == -ENOENT ? 0 : more;
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
	struct lock lock = { 0 };
	int error;

	if (inventory->lock == INVENTORY_LOCK_SKIP || !inventory->run_id[0])
		return 0;
	if (proc >= 0 && (ns < 0 || netns_enter(&entered, ns) < 0))
		return fail_errno("its network namespace cannot be entered");
	if (inventory->lock == INVENTORY_LOCK_NFTABLES)
		return undo_nftables(inventory->run_id);
	if (!iptables_is_there())
		return 0;
	error = read_connections(store, &lock);
	if (error == 0)
		error = iptables_unlock(&lock.connections, other);
	vector_done(&lock.connections);
	return error;
}

/* --- restore --- */

void network_restore_add(const struct restore *r, const InetSkEntry *entry)
{
	const bool other = entry->has_ns_id && network_is_other(restore_namespaces(r), entry->ns_id);

	connections_add(&find_lock(r->states, other ? entry->ns_id : 0)->connections, entry);
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
	bool kept = lock->kept || connections_count_outside(&lock->connections);
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
	state_destroy(r->states, &lock_state);
}
