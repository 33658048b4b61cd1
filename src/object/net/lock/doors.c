/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Connections that wait for accept(2) in a TCP socket cannot be saved, and to a busy server there is nearly always one:
 * clients go on to connect while its tasks are being stopped. So before that nobody new is let in to its ports - who
 * knocks does so again after a second - and it gets a moment to accept those that wait.
 */
#include <dirent.h>
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
#include "image/inventory.h"
#include "kern/net/netlink.h"
#include "kern/net/netns.h"
#include "kern/net/sockdiag.h"
#include "kern/proc/children.h"
#include "kern/proc/proc.h"
#include "object/net/lock/lock.h"
#include "object/net/net.h"

#define DEPTH_MAX 256 /* of the tree */

struct doors {
	struct nft_ctx *nft; /* owns the table */
};

static void destroy_doors(void *state)
{
	nftables_done(&((struct doors *)state)->nft);
}

static const struct state_type doors_state = { sizeof(struct doors), destroy_doors };

/* What the tasks have, while they run: nothing of it is sure. */
struct door_search {
	struct pool *pool;
	struct table *by_ino, *ports; /* struct inet_diag of all TCP sockets; listeners of the tree by their port */
	struct netlink *netlink;
};

static int read_sockets(struct door_search *s)
{
	table_destroy(&s->by_ino);
	s->by_ino = table_create();
	TRY(sockdiag_read_inet(s->netlink, s->pool, AF_INET, IPPROTO_TCP, s->by_ino));
	return sockdiag_read_inet(s->netlink, s->pool, AF_INET6, IPPROTO_TCP, s->by_ino);
}

static void find_in_task(struct door_search *s, int proc)
{
	int fd = openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir && fd >= 0)
		close(fd);
	while (dir && (entry = readdir(dir))) {
		struct inet_diag *diag;
		char text[64] = "";
		uint32_t ino;

		if (readlinkat(fd, entry->d_name, text, sizeof(text) - 1) < 0 || sscanf(text, "socket:[%u]", &ino) != 1)
			continue;
		diag = table_find(s->by_ino, ino);
		if (diag && diag->state == TCP_LISTEN)
			table_set(s->ports, diag->src_port, diag);
	}
	if (dir)
		closedir(dir);
}

static void find_below(struct door_search *s, pid_t pid, unsigned depth)
{
	AUTO(proc_pids_done) struct proc_pids pids = { 0 };
	AUTO_CLOSE int proc = proc_open(pid);

	if (proc < 0 || depth > DEPTH_MAX)
		return;
	find_in_task(s, proc);
	if (proc_children_read(proc, &pids) < 0)
		return;
	for (size_t i = 0; i < pids.n; i++)
		find_below(s, pids.items[i], depth + 1);
}

static bool has_listener(const struct door_search *s)
{
	const struct inet_diag *diag;
	size_t cursor = 0;

	while ((diag = table_next(s->by_ino, &cursor)))
		if (diag->state == TCP_LISTEN)
			return true;
	return false;
}

static bool has_waiting(const struct door_search *s)
{
	const struct inet_diag *diag;
	size_t cursor = 0;

	while ((diag = table_next(s->by_ino, &cursor)))
		if (diag->state == TCP_LISTEN && diag->rqueue && table_find(s->ports, diag->src_port))
			return true;
	return false;
}

static int close_doors(struct dump *d, const struct door_search *s)
{
	uint16_t *ports = pool_array(s->pool, uint16_t, table_count(s->ports));
	struct doors *doors = state_make(d->states, &doors_state);
	const struct inet_diag *door;
	size_t cursor = 0, n = 0;
	char table[64];

	while ((door = table_next(s->ports, &cursor)))
		ports[n++] = door->src_port;
	snprintf(table, sizeof(table), "CRIU-%s-doors", d->inventory->run_id);
	return nftables_close_ports(&doors->nft, table, ports, n);
}

/* Those whose handshake is not over first: they will wait soon. */
static bool somebody_waits(struct door_search *s)
{
	const struct inet_diag *door;
	size_t cursor = 0;
	bool comes = false;

	while (!comes && (door = table_next(s->ports, &cursor)))
		comes = sockdiag_end_unowned(s->netlink, door, 1u << TCP_SYN_RECV, true) > 0;
	return read_sockets(s) == 0 && (comes || has_waiting(s));
}

static int let_in(struct dump *d, struct door_search *s)
{
	TRY(netlink_open(NETLINK_SOCK_DIAG, &s->netlink));
	TRY(read_sockets(s));
	if (has_listener(s)) /* else nobody needs to look at each descriptor of each task */
		find_below(s, d->options->pid, 0);
	if (!table_count(s->ports))
		return 0;
	TRY(close_doors(d, s));
	log_info("Who connects to the %zu ports on which the tasks listen is kept waiting", table_count(s->ports));
	for (unsigned ms = 0; ms < GRACE_ACCEPT_MS && somebody_waits(s); ms++)
		usleep(1000);
	return 0;
}

/* Nothing of it must succeed: then connections that wait are found later on, and the dump is refused. */
int network_dump_prepare(struct dump *d)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	struct door_search search = { .pool = pool_create(), .ports = table_create() };
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

void network_open_doors(struct dump *d)
{
	state_drop(d->states, &doors_state);
}
