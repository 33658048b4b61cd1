/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP connections that wait for accept(2): tcp-backlog.img. The kernel tells how many there are, but only the one who
 * accepts them learns what they are. So we do it when all else is saved; if the tasks live on after all, those that
 * were taken are put back. How they get into a listener again is told in tcp-requeue.c.
 */
#include "object/socket/inet/tcp-backlog.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/vector.h"
#include "image/image.h"
#include "image/record.h"
#include "image/inventory.h"
#include "kern/net/netlink.h"
#include "kern/net/sockdiag-inet.h"
#include "kern/net/sockdiag.h"
#include "kern/probe.h"
#include "object/net/net.h"
#include "object/socket/inet/address.h"
#include "object/socket/inet/inet.h"
#include "object/socket/inet/map.h"
#include "object/socket/inet/mptcp.h"
#include "object/socket/inet/tcp.h"
#include "object/socket/inet/tcp-requeue.h"

/* --- dump --- */

struct tcp_listener {
	struct list all;
	const InetSkEntry *entry;
	int fd;		   /* a copy */
	struct list taken; /* struct tcp_waiting_socket */
};

/* In repair mode, which nobody hears of. */
static size_t close_taken(const struct tcp_listener *listener)
{
	struct tcp_waiting_socket *waiting;
	size_t n = 0;

	list_for_each(waiting, &listener->taken, all) {
		close(waiting->fd);
		n++;
	}
	return n;
}

static void close_listeners(void *state)
{
	struct tcp_listener *listener;

	list_for_each(listener, (struct list *)state, all) {
		close_taken(listener);
		close(listener->fd);
	}
}

static const struct state_type listeners_state = { sizeof(struct list), close_listeners };

static struct list *listeners_of(const struct dump *d)
{
	struct list *list = state_get(d->states, &listeners_state);

	if (!list->next)
		list_init(list);
	return list;
}

/* The segments that fill a backlog come in by the loopback device, where such a listener does not hear them. */
static bool hears_loopback(int fd, const InetSkEntry *entry)
{
	char device[64] = "";
	socklen_t size = sizeof(device);

	return !entry->ifname && (getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &size) < 0 || !device[0]);
}

/* NULL: there is none. */
static const char *obstacle_to_put_back(const struct dump *d, const InetSkEntry *entry)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;

	if (d->options->network_lock == OPT_LOCK_SKIP)
		return "--network-lock skip lets packets through meanwhile";
	if (entry->opts->so_reuseport)
		return "it may share its port with others (SO_REUSEPORT)";
	if (network_dump_enter(d, entry->ns_id, &entered) < 0)
		return "its network namespace cannot be entered";
	return tcp_requeue_obstacle();
}

/* Before anything is taken out or made. n connections wait. */
static int check_kernel(const InetSkEntry *entry, unsigned n)
{
	struct probes probes = { 0 };

	if (probe_result(&probes, FEATURE_ID_tcp_backlog)) /* there, or it could not be tried */
		return 0;
	return refuse(
		EOPNOTSUPP,
		"%u connections wait in the backlog of the TCP socket on port %u, which only Linux 6.10 and later "
		"can fill again; drop them with --skip-in-flight",
		n, entry->src_port);
}

static int check_waiting(const struct dump *d, const struct open_file *of, const InetSkEntry *entry, unsigned n)
{
	const char *obstacle;

	if (!d->options->tcp_established || d->options->tcp_close)
		return refuse(EBUSY,
			      "%u connections wait in the backlog of the TCP socket on port %u; let the program accept "
			      "them, keep them with --tcp-established or drop them with --skip-in-flight",
			      n, entry->src_port);
	if (d->options->end != OPT_END_KILL && (obstacle = obstacle_to_put_back(d, entry)))
		return refuse(EBUSY,
			      "%u connections wait in the backlog of the TCP socket on port %u, and could not be put "
			      "back after they were taken out to be saved: %s; dump without --leave-running and "
			      "--leave-stopped, drop them with --skip-in-flight, or try again when they were accepted",
			      n, entry->src_port, obstacle);
	TRY(mptcp_check_backlog(d, entry));
	if (!hears_loopback(of->fd, entry))
		return refuse(
			EOPNOTSUPP,
			"%u connections wait in the backlog of the TCP socket on port %u, which is bound to a "
			"network device: that backlog cannot be filled again; drop them with --skip-in-flight, or "
			"try again when they were accepted",
			n, entry->src_port);
	return check_kernel(entry, n);
}

int tcp_backlog_dump(const struct dump *d, const struct open_file *of, const InetSkEntry *entry, unsigned n)
{
	struct tcp_listener *listener;

	if (d->options->skip_in_flight)
		return 0;
	if (n)
		TRY(check_waiting(d, of, entry, n));
	if (!d->options->tcp_established || d->options->tcp_close ||
	    (d->options->end != OPT_END_KILL && obstacle_to_put_back(d, entry)))
		return 0;
	/* Who is just connecting may wait by then. */
	listener = pool_new(d->pool, struct tcp_listener);
	listener->entry = entry;
	list_init(&listener->taken);
	listener->fd = fcntl(of->fd, F_DUPFD_CLOEXEC, 3);
	if (listener->fd < 0)
		return fail_errno("duplicating a descriptor");
	list_push(listeners_of(d), &listener->all);
	return 0;
}

static unsigned count_waiting(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ? 0 : info.tcpi_unacked;
}

/* Nothing but their clients knows the numbers of handshakes that are not over. */
static int check_unfinished(struct dump *d, const struct tcp_listener *listener)
{
	const InetSkEntry *entry = listener->entry;
	AUTO(netlink_close) struct netlink *netlink = NULL;
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	struct inet_diag like = { .family = entry->family, .src_port = entry->src_port };
	int fast = 0, n = 0;
	socklen_t size = sizeof(fast);

	TRY(network_dump_enter(d, entry->ns_id, &entered));
	if (netlink_open(NETLINK_SOCK_DIAG, &netlink) == 0)
		n = sockdiag_end_unowned(netlink, &like, 1u << TCP_SYN_RECV, true);
	if (n <= 0)
		return 0;
	if (!getsockopt(listener->fd, IPPROTO_TCP, TCP_FASTOPEN, &fast, &size) && fast)
		return refuse(EBUSY,
			      "%d connections by TCP Fast Open are just being made on port %u; try again, or drop them "
			      "with --skip-in-flight",
			      n, entry->src_port);
	log_warn("%d connections are just being made on port %u: those clients have to connect anew", n,
		 entry->src_port);
	return 0;
}

static InetSkEntry *new_entry(struct dump *d, const struct tcp_listener *listener, int fd)
{
	InetSkEntry *entry = pool_new(d->pool, InetSkEntry);
	socklen_t size = sizeof(uint32_t);
	struct stat st = { 0 };

	(void)fstat(fd, &st);
	inet_sk_entry__init(entry);
	entry->ino = (uint32_t)st.st_ino;
	entry->family = listener->entry->family;
	entry->type = SOCK_STREAM;
	entry->proto = IPPROTO_TCP; /* also of a client that came to a listener of Multipath TCP */
	entry->has_ns_id = listener->entry->has_ns_id;
	entry->ns_id = listener->entry->ns_id;
	entry->fown = pool_new(d->pool, FownEntry);
	fown_entry__init(entry->fown);
	entry->opts = socket_new_options(d->pool);
	if (!getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &entry->opts->so_rcvbuf, &size))
		entry->opts->has_so_buf_lock =
			!getsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &entry->opts->so_buf_lock, &size);
	return entry;
}

/* An urgent byte can be kept as an ordinary one only. */
static void take_urgent_byte(int fd)
{
	const int on = 1;
	char byte;

	if (recv(fd, &byte, 1, MSG_OOB | MSG_PEEK | MSG_DONTWAIT) == 1)
		log_warn("The urgent byte (MSG_OOB) that waits in it becomes an ordinary one");
	(void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
}

static void note_machine(struct dump *d, TcpWaitingEntry *record)
{
	char text[64];

	if (file_read_text(AT_FDCWD, "/proc/sys/kernel/random/boot_id", text, sizeof(text)) >= 0)
		record->boot = pool_string(d->pool, text);
	record->timestamps = tcp_read_timestamps();
	record->has_timestamps = true;
}

static int save_waiting(struct dump *d, const struct tcp_listener *listener, struct tcp_waiting_socket *waiting,
			struct image *image)
{
	TcpWaitingEntry *record = pool_new(d->pool, TcpWaitingEntry);
	InetSkEntry *entry = new_entry(d, listener, waiting->fd);
	socklen_t size = sizeof(record->error);
	const int fd = waiting->fd;
	char name[128];

	tcp_waiting_entry__init(record);
	waiting->record = record;
	waiting->socket.entry = entry;
	TRY(inet_dump_addresses(fd, NULL, entry, d->pool));
	inet_print(entry, name, sizeof(name));
	LOG_SCOPE("TCP connection %s", name);
	take_urgent_byte(fd);
	if (!getsockopt(fd, SOL_SOCKET, SO_ERROR, &record->error, &size))
		record->has_error = record->error != 0;
	network_add_connection(d, entry);
	TRY(tcp_save_taken(d, fd, entry, &waiting->socket.stream));
	record->listener = listener->entry->id;
	record->socket = entry;
	note_machine(d, record);
	return image_write(image, record);
}

static int take_waiting(struct dump *d, struct tcp_listener *listener, struct image *image)
{
	struct pollfd ask = { .fd = listener->fd, .events = POLLIN };

	while (poll(&ask, 1, 0) == 1) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
		struct tcp_waiting_socket *waiting;

		if (fd < 0)
			return 0; /* somebody outside of the tree has the listener as well, and was faster */
		waiting = pool_new(d->pool, struct tcp_waiting_socket);
		waiting->fd = fd;
		list_push(&listener->taken, &waiting->all);
		/* From now on these images are no checkpoint until they have it. */
		if (!d->n_taken++)
			inventory_remove(dump_store(d));
		TRY(save_waiting(d, listener, waiting, image));
	}
	return 0;
}

bool tcp_backlog_is_watched(const struct dump *d)
{
	return !list_empty(listeners_of(d));
}

int tcp_backlog_take(struct dump *d)
{
	AUTO(image_close) struct image *image = NULL;
	struct tcp_listener *listener;
	bool any = false;

	list_for_each(listener, listeners_of(d), all) {
		if (!count_waiting(listener->fd))
			continue;
		any = true;
		TRY(check_kernel(listener->entry, count_waiting(listener->fd)));
		TRY(check_unfinished(d, listener));
		TRY(network_shut_port(d, listener->entry->ns_id, (uint16_t)listener->entry->src_port));
		TRY(mptcp_check_backlog(d, listener->entry));
	}
	if (!any)
		return 0;
	TRY(image_create(dump_store(d), &image, IMAGE_TCP_BACKLOG));
	list_for_each(listener, listeners_of(d), all) {
		LOG_SCOPE("TCP socket on port %u", listener->entry->src_port);
		if (count_waiting(listener->fd))
			TRY(take_waiting(d, listener, image));
	}
	return image_finish(&image);
}

/* What could not be read is lost. */
static int put_back(struct dump *d, struct tcp_listener *listener)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	const size_t n = close_taken(listener);
	struct tcp_requeue what = { .pool = d->pool, .listener = listener->entry, .fd = listener->fd };
	struct tcp_waiting_socket *waiting;

	what.waiting = pool_array(d->pool, const struct tcp_waiting_socket *, n);
	list_for_each(waiting, &listener->taken, all) {
		if (!waiting->socket.stream)
			continue;
		tcp_keep_window(waiting->socket.entry->opts, waiting->socket.stream);
		what.waiting[what.n++] = waiting;
	}
	list_init(&listener->taken);
	TRY(network_dump_enter(d, listener->entry->ns_id, &entered));
	TRY(tcp_requeue(&what));
	d->n_taken -= n;
	return what.n < n ? refuse(EIO, "%zu connections that waited for accept(2) are lost", n - what.n) : 0;
}

int tcp_backlog_put_back(struct dump *d)
{
	struct tcp_listener *listener;

	list_for_each(listener, listeners_of(d), all) {
		const char *obstacle;

		if (list_empty(&listener->taken))
			continue;
		LOG_SCOPE("TCP socket on port %u", listener->entry->src_port);
		obstacle = obstacle_to_put_back(d, listener->entry);
		if (obstacle)
			return refuse(EOPNOTSUPP, "connections that were taken out to be saved cannot be put back: %s",
				      obstacle);
		TRY(put_back(d, listener));
	}
	return 0;
}

/* --- restore --- */

struct waiting_restore {
	struct list all;       /* struct tcp_waiting_socket */
	VECTOR(int) listeners; /* copies of those that were filled, until packets may pass */
};

/*
 * The restore has failed: a listener that is closed would reset the connections in its backlog, which the next restore
 * shall bring back.
 */
static void empty_listener(int fd)
{
	struct pollfd ask = { .fd = fd, .events = POLLIN };
	const int on = 1;

	while (poll(&ask, 1, 0) == 1) {
		int waiting = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (waiting < 0)
			break;
		(void)setsockopt(waiting, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on));
		close(waiting);
	}
	close(fd);
}

static void forget_waiting(void *state)
{
	struct waiting_restore *waiting = state;

	for (size_t i = 0; i < waiting->listeners.n; i++)
		empty_listener(waiting->listeners.items[i]);
	vector_done(&waiting->listeners);
}

static const struct state_type waiting_state = { sizeof(struct waiting_restore), forget_waiting };

static struct waiting_restore *waiting_of(const struct restore *r)
{
	return state_find(r->states, &waiting_state);
}

/* All records, in their order, before any socket is loaded. */
int tcp_backlog_prepare(const struct restore *r)
{
	struct list *all = &((struct waiting_restore *)state_make(r->states, &waiting_state))->all;
	AUTO(image_close) struct image *image = NULL;
	TcpWaitingEntry *record;
	int more = image_open(r->store, &image, IMAGE_TCP_BACKLOG);

	list_init(all);
	if (more == -ENOENT)
		return 0;
	TRY(more);
	while ((more = image_read(image, &record)) > 0) {
		struct tcp_waiting_socket *waiting = pool_new(r->pool, struct tcp_waiting_socket);

		waiting->record = record;
		waiting->socket.entry = record->socket;
		list_push(all, &waiting->all);
	}
	return more;
}

static int load_waiting(const struct restore *r, const struct inet_socket *listener, struct tcp_waiting_socket *waiting)
{
	InetSkEntry *entry = waiting->record->socket;
	uint32_t state = entry->state;

	if (listener->entry->state != TCP_LISTEN || listener->entry->type != SOCK_STREAM ||
	    entry->family != listener->entry->family || entry->type != SOCK_STREAM ||
	    (state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT && state != TCP_CLOSE))
		return refuse(EINVAL, "a connection that waits for accept(2) does not belong to its socket (state %u)",
			      state);
	TRY(inet_check_addresses(entry));
	entry->has_ns_id = listener->entry->has_ns_id;
	entry->ns_id = listener->entry->ns_id;
	network_restore_add(r, entry);
	inet_map_addresses(r, entry);
	return tcp_load(r, &waiting->socket);
}

int tcp_backlog_load(const struct restore *r, struct inet_socket *listener)
{
	struct tcp_waiting_socket *waiting;

	list_for_each(waiting, &waiting_of(r)->all, all) {
		if (waiting->record->listener != listener->file->id)
			continue;
		TRY(load_waiting(r, listener, waiting));
		waiting->listener = listener;
		listener->n_waiting++;
	}
	return 0;
}

int tcp_backlog_link(const struct restore *r)
{
	const struct tcp_waiting_socket *waiting;

	list_for_each(waiting, &waiting_of(r)->all, all)
		if (!waiting->listener)
			return refuse(EINVAL, "tcp-backlog.img has connections of file %u, which is no TCP socket",
				      waiting->record->listener);
	return 0;
}

static int hold_listener(struct restore *r, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return fail_errno("duplicating a descriptor");
	*vector_push(&waiting_of(r)->listeners) = copy;
	return 0;
}

int tcp_backlog_restore(struct restore *r, const struct inet_socket *listener, int fd)
{
	struct tcp_requeue what = { .pool = r->pool, .listener = listener->entry, .fd = fd };
	const struct tcp_waiting_socket *waiting;

	if (!listener->n_waiting || r->options->tcp_close || r->options->skip_in_flight)
		return 0;
	what.waiting = pool_array(r->pool, const struct tcp_waiting_socket *, listener->n_waiting);
	TRY(check_kernel(listener->entry, listener->n_waiting));
	list_for_each(waiting, &waiting_of(r)->all, all)
		if (waiting->listener == listener)
			what.waiting[what.n++] = waiting;
	TRY(network_restore_lock(r));
	TRY(hold_listener(r, fd));
	return tcp_requeue(&what);
}

void tcp_backlog_release(struct restore *r)
{
	struct waiting_restore *waiting = waiting_of(r);

	for (size_t i = 0; i < waiting->listeners.n; i++)
		close(waiting->listeners.items[i]);
	waiting->listeners.n = 0;
}

void tcp_backlog_clean(struct restore *r)
{
	state_destroy(r->states, &waiting_state);
}

int tcp_backlog_each(const struct restore *r, const struct inet_socket *listener,
		     int (*work)(const struct restore *r, const InetSkEntry *entry))
{
	const struct tcp_waiting_socket *waiting;

	list_for_each(waiting, &waiting_of(r)->all, all)
		if (waiting->listener == listener)
			TRY(work(r, waiting->socket.entry));
	return 0;
}
