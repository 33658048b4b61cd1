/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Binding of internet sockets. What let bind(2) succeed may be gone: SO_REUSEPORT or IP_FREEBIND were switched off, an
 * address was taken away. And what nobody has any more may be in the way.
 */
#include "object/socket/inet/bind.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/table.h"
#include "kern/net/netlink.h"
#include "kern/net/sockdiag-inet.h"
#include "kern/net/sockdiag.h"
#include "object/file/file.h"
#include "object/net/net.h"
#include "object/socket/inet/address.h"
#include "object/socket/inet/inet.h"
#include "object/socket/inet/tcp-guard.h"
#include "object/socket/inet/tcp.h"
#include "object/socket/option-numbers.h"

#define PAUSE_MS 10

#ifndef NETLINK_SOCK_DIAG
#define NETLINK_SOCK_DIAG 4
#endif

#define STATE(name) (1u << TCP_##name)

/* All is said but the other side's good-bye: nothing is lost if such a connection without an owner is forgotten. */
#define SAID_ALL (STATE(TIME_WAIT) | STATE(FIN_WAIT2))

/* --- dump --- */

/* Of an address: whether it was on no device. Those of one address in several namespaces follow each other. */
struct tried_address {
	struct tried_address *next;
	uint32_t ns_id, family;
	const char *ifname;
	bool foreign;
};

static void destroy_tried(void *state)
{
	table_destroy(state);
}

static struct table *tried_of(const struct dump *d)
{
	static const struct state_type type = { sizeof(struct table *), destroy_tried };
	struct table **tried = state_get(d->states, &type);

	if (!*tried)
		*tried = table_create();
	return *tried;
}

static bool try_address(const InetSkEntry *entry)
{
	AUTO_CLOSE int fd = -1;
	union inet_address address;

	if (inet_source(entry, &address) < 0)
		return false;
	fd = socket((int)entry->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	address.v4.sin_port = 0; /* lies where sin6_port does */
	return fd >= 0 && bind(fd, &address.any, inet_address_size(&address)) < 0 && errno == EADDRNOTAVAIL;
}

static bool is_same_place(const struct tried_address *tried, const InetSkEntry *entry)
{
	return tried->ns_id == entry->ns_id && tried->family == entry->family &&
	       !strcmp(tried->ifname ?: "", entry->ifname ?: "");
}

bool inet_is_foreign(const struct dump *d, const InetSkEntry *entry)
{
	struct tried_address *first, *tried;
	uint64_t words[2] = { 0 };

	memcpy(words, entry->src_addr, entry->n_src_addr * sizeof(uint32_t));
	if (!words[0] && !words[1])
		return false;
	first = table_find2(tried_of(d), words[0], words[1]);
	for (tried = first; tried; tried = tried->next)
		if (is_same_place(tried, entry))
			return tried->foreign;
	tried = pool_new(d->pool, struct tried_address);
	*tried = (struct tried_address){ first, entry->ns_id, entry->family, entry->ifname, try_address(entry) };
	table_set2(tried_of(d), words[0], words[1], tried);
	return tried->foreign;
}

/* --- restore --- */

static int end_unowned(const InetSkEntry *entry, bool connection, uint32_t states, bool only_count)
{
	AUTO(netlink_close) struct netlink *netlink = NULL;
	struct inet_diag like = { .family = entry->family, .src_port = entry->src_port };
	int n = netlink_open(NETLINK_SOCK_DIAG, &netlink);

	memcpy(like.src, entry->src_addr, entry->n_src_addr * sizeof(uint32_t));
	if (connection) {
		like.dst_port = entry->dst_port;
		memcpy(like.dst, entry->dst_addr, entry->n_dst_addr * sizeof(uint32_t));
	}
	if (n >= 0)
		n = sockdiag_end_unowned(netlink, &like, states, only_count);
	if (n > 0 && !only_count)
		log_info("%d TCP sockets that nobody has any more were on port %u: ended", n, entry->src_port);
	return n;
}

bool inet_has_waiting(const InetSkEntry *entry)
{
	return end_unowned(entry, false, SAID_ALL, true) > 0;
}

int inet_end_remains(const InetSkEntry *entry)
{
	return end_unowned(entry, true,
			   STATE(FIN_WAIT1) | STATE(FIN_WAIT2) | STATE(CLOSING) | STATE(LAST_ACK) | STATE(TIME_WAIT) |
				   STATE(CLOSE_WAIT),
			   false);
}

/* The side that the program has closed of a connection whose other end is in the tree and has heard all of it. */
static int end_what_was_heard(const InetSkEntry *entry, const InetSkEntry *peer)
{
	InetSkEntry closed = *peer;

	if (peer->dst_port != entry->src_port || peer->type != SOCK_STREAM ||
	    !(1u << peer->state & (STATE(CLOSE_WAIT) | STATE(LAST_ACK) | STATE(CLOSING))))
		return 0;
	closed.src_port = peer->dst_port;
	closed.src_addr = peer->dst_addr;
	closed.n_src_addr = peer->n_dst_addr;
	closed.dst_port = peer->src_port;
	closed.dst_addr = peer->src_addr;
	closed.n_dst_addr = peer->n_src_addr;
	return inet_end_remains(&closed);
}

/*
 * What keeps the port of a listener and belongs to nobody: connections that the program has closed before, where repair
 * mode does not help, as listen(2) asks again, and those of the checkpoint whose tasks were killed outside of repair
 * mode.
 */
static int end_those_in_the_way(struct restore *r, const InetSkEntry *entry)
{
	int n = end_unowned(entry, false, SAID_ALL, false);
	struct inet_socket *other;

	TRY(network_restore_lock(r)); /* nobody hears of it */
	list_for_each(other, inet_sockets_of(r), all) {
		const InetSkEntry *connection = other->entry;

		if (connection->src_port == entry->src_port && connection->type == SOCK_STREAM &&
		    tcp_is_connection(connection->state) && inet_end_remains(connection) > 0)
			n = n > 0 ? n + 1 : 1;
		if (end_what_was_heard(entry, connection) > 0)
			n = n > 0 ? n + 1 : 1;
	}
	return n;
}

/*
 * The name is in use: by sockets of the tree that had SO_REUSEPORT when they took it, whatever the option says now.
 * They get it back until all have their names.
 */
static bool share_port(struct restore *r, const struct inet_socket *socket, int fd)
{
	const InetSkEntry *entry = socket->entry;
	struct inet_socket *other;
	bool shared = false;
	const int on = 1;

	list_for_each(other, inet_sockets_of(r), all) {
		if (other == socket || other->file->fd < 0 || other->entry->src_port != entry->src_port ||
		    other->entry->type != entry->type ||
		    (entry->type != SOCK_STREAM && other->entry->proto != entry->proto))
			continue;
		shared |= !setsockopt(other->file->fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	}
	return shared && !setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
}

int inet_try_bind(int fd, const InetSkEntry *entry)
{
	union inet_address address;

	TRY(inet_source(entry, &address));
	return bind(fd, &address.any, inet_address_size(&address)) < 0 ? -errno : 0;
}

/* A connection in TIME_WAIT still has the port: in repair mode that is no obstacle (tcp(7) has no word of it). */
int inet_bind_in_repair(int fd, const InetSkEntry *entry)
{
	const int on = 1;
	int error, left;

	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) < 0)
		return -errno;
	error = inet_try_bind(fd, entry);
	left = tcp_leave_repair(fd, on);
	return error < 0 ? error : left;
}

int inet_fail_bind(const InetSkEntry *entry, int error)
{
	char name[128];

	inet_print(entry, name, sizeof(name));
	if (error == EADDRNOTAVAIL)
		return refuse(EADDRNOTAVAIL,
			      "no network device here has the address of the socket %s: add it (ip address add)", name);
	if (error == EADDRINUSE)
		return refuse(
			EADDRINUSE,
			"the address of the socket %s is in use: end the program that has it (ss -antup 'sport = :%u')",
			name, entry->src_port);
	return fail(error, "cannot bind to %s", name);
}

static int set_freebind(int fd, const InetSkEntry *entry, int value)
{
	bool v6 = entry->family == AF_INET6;

	if (setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_FREEBIND : IP_FREEBIND, &value, sizeof(value)) < 0)
		return fail_errno("cannot set the socket option %s", v6 ? "IPV6_FREEBIND" : "IP_FREEBIND");
	return 0;
}

static int bind_somehow(struct restore *r, const struct inet_socket *socket, int fd)
{
	const InetSkEntry *entry = socket->entry;
	int error;

	error = inet_try_bind(fd, entry);
	if (error == -EADDRINUSE && entry->state == TCP_LISTEN && entry->type == SOCK_STREAM &&
	    end_those_in_the_way(r, entry) > 0)
		error = inet_try_bind(fd, entry);
	/* Listeners of one port are a group: each gets its share of the connections. */
	if (error == -EADDRINUSE && (entry->type != SOCK_STREAM || entry->state == TCP_LISTEN) &&
	    share_port(r, socket, fd))
		error = inet_try_bind(fd, entry);
	if (error == -EADDRINUSE && entry->type == SOCK_STREAM && entry->proto != IPPROTO_MPTCP)
		error = inet_bind_in_repair(fd, entry);
	return error;
}

static bool may_pass(const struct restore *r, unsigned *waited_ms)
{
	size_t n;
	struct file *const *files = file_restore_all(r, &n);

	for (size_t i = 0; i < n && *waited_ms < GRACE_RING_MS; i++) {
		if (!files[i]->lingers)
			continue;
		usleep(PAUSE_MS * 1000);
		*waited_ms += PAUSE_MS;
		return true;
	}
	return false;
}

/* Connections without an owner that have still something to say, as they do within a moment. */
static bool may_be_said(const InetSkEntry *entry, unsigned *waited_ms)
{
	if (entry->type != SOCK_STREAM || *waited_ms >= GRACE_UNOWNED_MS ||
	    end_unowned(entry, false, STATE(FIN_WAIT1) | STATE(CLOSING) | STATE(LAST_ACK), true) <= 0)
		return false;
	usleep(PAUSE_MS * 1000);
	*waited_ms += PAUSE_MS;
	return true;
}

bool inet_make_room(struct restore *r, const InetSkEntry *entry, unsigned *waited_ms)
{
	return (entry->type == SOCK_STREAM && entry->state == TCP_LISTEN && end_those_in_the_way(r, entry) > 0) ||
	       may_pass(r, waited_ms) || may_be_said(entry, waited_ms);
}

int inet_bind(struct restore *r, const struct inet_socket *socket, int fd)
{
	const InetSkEntry *entry = socket->entry;
	unsigned waited = 0;
	int error;

	if (!inet_is_bound(entry))
		return 0;
	if (entry->foreign)
		TRY(set_freebind(fd, entry, 1));
	error = bind_somehow(r, socket, fd);
	while (error == -EADDRINUSE && inet_make_room(r, entry, &waited))
		error = bind_somehow(r, socket, fd);
	if (error < 0)
		return inet_fail_bind(entry, -error);
	return entry->foreign && !(entry->ip_opts && entry->ip_opts->freebind) ? set_freebind(fd, entry, 0) : 0;
}

static int set_transparent(const InetSkEntry *entry, int fd, int value)
{
	bool v6 = entry->family == AF_INET6;

	if (setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &value,
		       sizeof(value)) < 0)
		return fail_errno("cannot set the socket option %s", v6 ? "IPV6_TRANSPARENT" : "IP_TRANSPARENT");
	return 0;
}

static int set_device(const InetSkEntry *entry, int fd, const char *name)
{
	if (entry->ifname || !setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, strlen(name) + 1))
		return 0;
	return fail_errno("cannot set the socket option SO_BINDTODEVICE");
}

/* The route may be gone with the address: on a device that is named, the kernel takes any destination for a neighbour.
 */
int inet_begin_foreign(const InetSkEntry *entry, int fd, int *ret_before)
{
	bool v6 = entry->family == AF_INET6;
	socklen_t size = sizeof(*ret_before);

	if (getsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, ret_before, &size) <
	    0)
		return fail_errno("cannot read the socket option IP_TRANSPARENT");
	TRY(set_transparent(entry, fd, 1));
	return set_device(entry, fd, "lo");
}

int inet_end_foreign(const InetSkEntry *entry, int fd, int before)
{
	TRY(set_device(entry, fd, ""));
	return set_transparent(entry, fd, before);
}
