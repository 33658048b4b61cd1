/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Connections that wait for accept(2) in a TCP socket are not saved as easily as others, and to a busy server there is
 * nearly always one: clients go on to connect while its tasks are being stopped. So before that nobody new is let in to
 * its ports - who knocks does so again after a second - and it gets a moment to accept those that wait.
 */
#include "object/net/lock/doors.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/table.h"
#include "base/vector.h"
#include "image/inventory.h"
#include "kern/net/netlink.h"
#include "kern/net/netns.h"
#include "kern/net/sockdiag-inet.h"
#include "kern/net/sockdiag.h"
#include "kern/proc/proc.h"
#include "kern/proc/running.h"
#include "object/net/lock/nftables.h"
#include "object/net/net.h"
#include "session/session.h"
#include "session/state.h"

struct doors {
	struct nft_ctx *nft;	       /* owns the table */
	VECTOR(struct nft_ctx *) shut; /* the same for ports through which nothing passes at all */
};

static void destroy_doors(void *state)
{
	struct doors *doors = state;

	nftables_done(&doors->nft);
	for (size_t i = 0; i < doors->shut.n; i++)
		nftables_done(&doors->shut.items[i]);
	vector_done(&doors->shut);
}

static const struct state_type doors_state = { sizeof(struct doors), destroy_doors };

/* What the tasks have, while they run: nothing of it is sure. */
struct door_search {
	struct pool *pool;
	struct table *by_ino, *ports; /* struct inet_diag of all that listen; those of the tree by their port */
	struct netlink *netlink;
	struct file_iter *files;
};

static int read_listeners(struct door_search *s)
{
	table_destroy(&s->by_ino);
	s->by_ino = table_create();
	TRY(sockdiag_read_listeners(s->netlink, s->pool, AF_INET, s->by_ino));
	return sockdiag_read_listeners(s->netlink, s->pool, AF_INET6, s->by_ino);
}

static bool may_listen(void *arg, const struct running_descriptor *one)
{
	const struct door_search *s = arg;

	return one->format == S_IFSOCK && table_find(s->by_ino, one->ino);
}

/* Those that are found are done with; it ends with the last one. */
static bool look_for_listener(void *arg, const struct running_descriptor *one)
{
	struct door_search *s = arg;
	struct inet_diag *diag = table_remove(s->by_ino, one->ino);

	if (diag)
		table_set(s->ports, diag->src_port, diag);
	return !table_count(s->by_ino);
}

static bool look_in_task(void *arg, pid_t pid, int proc)
{
	const struct door_search *s = arg;

	running_visit_descriptors(pid, proc, &(struct running_visitor){ s->files, may_listen, look_for_listener, arg });
	return !table_count(s->by_ino);
}

static bool has_waiting(const struct door_search *s)
{
	const struct inet_diag *diag;
	size_t cursor = 0;

	while ((diag = table_next(s->by_ino, &cursor)))
		if (diag->rqueue && table_find(s->ports, diag->src_port))
			return true;
	return false;
}

static int close_doors(struct dump *d, const struct door_search *s)
{
	uint16_t *ports = pool_array(s->pool, uint16_t, table_count(s->ports));
	struct doors *doors = state_get(d->states, &doors_state);
	const struct inet_diag *door;
	size_t cursor = 0, n = 0;
	char table[64];

	while ((door = table_next(s->ports, &cursor)))
		ports[n++] = door->src_port;
	snprintf(table, sizeof(table), "CRIU-%s-doors", d->inventory->run_id);
	return nftables_close_ports(&doors->nft, table, ports, n, false);
}

/* Those whose handshake is not over first: they will wait soon. Those that wait can be kept by a dump that kills. */
static bool somebody_waits(const struct dump *d, struct door_search *s)
{
	const bool kept = d->options->tcp_established && !d->options->tcp_close && d->options->end == OPT_END_KILL;
	const struct inet_diag *door;
	size_t cursor = 0;
	bool comes = false;

	while (!comes && (door = table_next(s->ports, &cursor)))
		comes = sockdiag_end_unowned(s->netlink, door, 1u << TCP_SYN_RECV, true) > 0;
	return comes || (!kept && read_listeners(s) == 0 && has_waiting(s));
}

static int let_in(struct dump *d, struct door_search *s)
{
	TRY(netlink_open(NETLINK_SOCK_DIAG, &s->netlink));
	TRY(read_listeners(s));
	if (table_count(s->by_ino)) /* else nobody needs to look at each descriptor of each task */
		running_visit_tree(d->options->pid, d->task_iter, d->file_iter, look_in_task, s);
	if (!table_count(s->ports))
		return 0;
	TRY(close_doors(d, s));
	log_info("Who connects to the %zu ports on which the tasks listen is kept waiting", table_count(s->ports));
	for (unsigned ms = 0; ms < GRACE_ACCEPT_MS && somebody_waits(d, s); ms++)
		usleep(1000);
	return 0;
}

/* Nothing of it must succeed: then connections that wait are found later on, and the dump is refused. */
int network_dump_prepare(struct dump *d)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	struct door_search search = { .pool = pool_create(), .ports = table_create(), .files = d->file_iter };
	AUTO_CLOSE int proc = proc_open(d->options->pid), ns = -1;

	if (proc >= 0)
		ns = openat(proc, "ns/net", O_RDONLY | O_CLOEXEC);
	if (ns >= 0 && d->options->command == CMD_DUMP && d->options->network_lock != OPT_LOCK_SKIP &&
	    !d->options->skip_in_flight && netns_enter(&entered, ns) == 0 && let_in(d, &search) < 0)
		log_debug("nobody is kept from connecting");
	netlink_close(&search.netlink);
	table_destroy(&search.by_ino);
	table_destroy(&search.ports);
	pool_destroy(&search.pool);
	return 0;
}

int network_shut_port(struct dump *d, uint32_t id, uint16_t port)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	struct doors *doors = state_get(d->states, &doors_state);
	struct nft_ctx **nft;
	char table[64];

	if (d->options->network_lock == OPT_LOCK_SKIP)
		return 0;
	TRY(network_dump_enter(d, id, &entered));
	snprintf(table, sizeof(table), "CRIU-%s-port-%zu", d->inventory->run_id, doors->shut.n);
	nft = vector_push(&doors->shut);
	*nft = NULL;
	if (nftables_close_ports(nft, table, &port, 1, true) < 0)
		return refuse(EIO,
			      "cannot keep packets away from port %u with nftables; --network-lock skip does without",
			      port);
	return 0;
}

void network_open_doors(struct dump *d)
{
	state_destroy(d->states, &doors_state);
}
