/* SPDX-License-Identifier: GPL-2.0-only */
/* criu verify: what sockets are, and need of the machine and of others. restore --copies: what only one could have. */
#include "object/socket/needs.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "image/inventory.h"
#include "object/socket/inet/address.h"
#include "object/socket/inet/bind.h"
#include "object/socket/inet/inet.h"
#include "object/socket/inet/make.h"
#include "object/socket/inet/tcp.h"
#include "object/socket/inet/tcp-backlog.h"
#include "object/socket/unix/name.h"
#include "object/socket/unix/unix.h"
#include "session/copy.h"
#include "session/given.h"
#include "session/needs.h"

static bool is_other_end(const InetSkEntry *a, const InetSkEntry *b)
{
	return a->family == b->family && a->src_port == b->dst_port && a->dst_port == b->src_port &&
	       a->n_src_addr == b->n_dst_addr && a->n_dst_addr == b->n_src_addr &&
	       !memcmp(a->src_addr, b->dst_addr, a->n_src_addr * sizeof(uint32_t)) &&
	       !memcmp(a->dst_addr, b->src_addr, a->n_dst_addr * sizeof(uint32_t));
}

static bool has_both_ends(const struct restore *r, const InetSkEntry *entry)
{
	size_t n;
	struct file *const *files = file_restore_all(r, &n);

	for (size_t i = 0; i < n; i++)
		if (files[i]->kind == &inet_kind && is_other_end(entry, files[i]->entry->isk))
			return true;
	return false;
}

static int need_connection(const struct restore *r, const InetSkEntry *entry)
{
	char name[128];

	need_feature(r, FEATURE_ID_tcp_repair);
	if (r->options->tcp_close || r->inventory->tcp_close) {
		(void)needs_add(r, NEED_OPTION, "--tcp-close", "the dump was told to close its TCP connections");
		return 0;
	}
	(void)needs_add(r, NEED_OPTION, "--tcp-established", "TCP connections");
	if (has_both_ends(r, entry))
		return 0;
	inet_print(entry, name, sizeof(name));
	(void)needs_add(r, NEED_PEER, name, "the other end of a TCP connection, which must still wait for us");
	return 0;
}

static int need_waiting(const struct restore *r, const InetSkEntry *entry)
{
	need_feature(r, FEATURE_ID_tcp_backlog);
	return need_connection(r, entry);
}

/* Any port will do: the question is whether this machine has the address. Nothing is sent. */
static int check_address(const InetSkEntry *entry)
{
	AUTO_CLOSE int fd =
		socket((int)entry->family, (entry->type == SOCK_STREAM ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	struct socket_options options;
	union inet_address address;

	if (fd < 0 || entry->foreign)
		return 0;
	/* IP_FREEBIND, IP_TRANSPARENT: such a socket may have any address. */
	options = inet_options(entry);
	(void)socket_options_apply(fd, &options, OPTION_EARLY);
	TRY(inet_source(entry, &address));
	address.v4.sin_port = 0;
	if (!bind(fd, &address.any, inet_address_size(&address)) || errno != EADDRNOTAVAIL)
		return 0;
	return inet_fail_bind(entry, EADDRNOTAVAIL);
}

int inet_need(const struct restore *r, struct file *f)
{
	const InetSkEntry *entry = f->entry->isk;
	char key[32];

	snprintf(key, sizeof(key), "socket:[%u]", entry->ino);
	if (given_has_descriptor(r, key))
		return 0;
	if (entry->type == SOCK_STREAM && tcp_is_connection(entry->state))
		TRY(need_connection(r, entry));
	TRY(tcp_backlog_each(r, f->data, need_waiting));
	if (!inet_is_bound(entry) || needs_other_addresses(r))
		return 0;
	TRY(check_address(entry));
	if ((entry->type == SOCK_STREAM && !tcp_is_connection(entry->state)) || entry->type == SOCK_DGRAM)
		return inet_check_free(entry);
	return 0;
}

static int need_outside(const struct restore *r, const struct unix_socket *socket)
{
	const UnixSkEntry *entry = socket->entry, *peer = socket->peer->entry;
	char key[32], name[160], text[200];

	snprintf(key, sizeof(key), "socket:[%u]", entry->ino);
	if (given_has_descriptor(r, key))
		return 0;
	if (!unix_has_name(peer) || (entry->outside && socket->outside_how == OPT_PEER_GIVEN))
		return 0; /* told already */
	unix_print_name(&peer->name, name, sizeof(name));
	if (!entry->outside)
		(void)needs_add(r, NEED_OPTION, "--ext-unix-sk", "unix sockets that lead out of the tree");
	snprintf(text, sizeof(text), "unix socket %s", name);
	(void)needs_add(r, NEED_PEER, text, "somebody must listen there");
	if ((!needs_other_paths(r) || (entry->outside && entry->outside->of_host)) && unix_is_path(peer) &&
	    access(name, F_OK) < 0 && errno == ENOENT)
		return refuse(ENOENT,
			      "its other end, the unix socket %s, is not there: start the program that listens on it, "
			      "or restore with --unix-peer close:%s",
			      name, name);
	return 0;
}

/* The file of a socket is made again: what lies there must be a socket that nobody has bound. */
static int check_path(const UnixSkEntry *entry)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO_CLOSE int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char name[160], path[PATH_MAX];
	struct stat st;

	unix_print_name(&entry->name, name, sizeof(name));
	if (name[0] != '/' && !entry->name_dir)
		return 0;
	snprintf(path, sizeof(path), "%s%s%s", name[0] == '/' ? "" : entry->name_dir, name[0] == '/' ? "" : "/", name);
	if (lstat(path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return refuse(EEXIST, "%s was a socket and is now another file: move it away", path);
	if (probe < 0 || strlen(path) >= sizeof(address.sun_path))
		return 0;
	strcpy(address.sun_path, path);
	/* EPROTOTYPE: a stream socket is bound there. ECONNREFUSED: nobody is. */
	if (connect(probe, (struct sockaddr *)&address, sizeof(address)) < 0 && errno != EPROTOTYPE)
		return 0;
	return refuse(EADDRINUSE, "another process has a socket bound to %s: end it before the restore", path);
}

static int check_name(const struct restore *r, const UnixSkEntry *entry)
{
	if (!unix_has_name(entry) || entry->deleted)
		return 0;
	if (unix_is_path(entry))
		return needs_other_paths(r) ? 0 : check_path(entry);
	return needs_other_addresses(r) ? 0 : unix_check_free(entry);
}

int unix_need(const struct restore *r, struct file *f)
{
	const struct unix_socket *socket = f->data;
	const UnixSkEntry *entry = socket->entry;

	if (entry->uflags & (UNIX_EXTERN | UNIX_CALLBACK | UNIX_SERVICE))
		return 0;
	TRY(check_name(r, entry));
	return socket->peer && socket->peer->entry->uflags & UNIX_EXTERN ? need_outside(r, socket) : 0;
}

/* --- restore --copies --- */

/* Each copy has its ports and abstract names for itself. */
static bool has_own_network(const struct restore *r)
{
	for (size_t i = 0; i < r->options->join_ns.n; i++)
		if (r->options->join_ns.items[i].flag == CLONE_NEWNET)
			return false;
	return r->facts->own_network || r->options->copy_net || r->options->empty_ns & CLONE_NEWNET;
}

static int check_connection(const struct restore *r, const InetSkEntry *entry)
{
	char name[128];

	if (r->options->tcp_close || r->inventory->tcp_close || (has_both_ends(r, entry) && has_own_network(r)))
		return 0;
	inet_print(entry, name, sizeof(name));
	return refuse(EOPNOTSUPP,
		      "the TCP connection %s can go on in one copy only: restore it closed by --tcp-close%s", name,
		      has_both_ends(r, entry) ? ", or give each copy a network of its own by --copy-net" : "");
}

int inet_copies(const struct restore *r, struct file *f)
{
	const InetSkEntry *entry = f->entry->isk;
	char name[128];

	if (entry->type == SOCK_STREAM && tcp_is_connection(entry->state))
		return check_connection(r, entry);
	TRY(tcp_backlog_each(r, f->data, check_connection));
	if (!inet_is_bound(entry) || has_own_network(r) || entry->type == SOCK_RAW)
		return 0;
	inet_print(entry, name, sizeof(name));
	name[strcspn(name, " ")] = '\0'; /* its own address */
	return refuse(EADDRINUSE,
		      "only one copy could have the address %s: give each a network of its own by --copy-net", name);
}

int unix_copies(const struct restore *r, struct file *f)
{
	const UnixSkEntry *entry = ((const struct unix_socket *)f->data)->entry;
	char name[160];

	if (!unix_has_name(entry) || entry->deleted || entry->uflags & (UNIX_EXTERN | UNIX_CALLBACK | UNIX_SERVICE))
		return 0;
	unix_print_name(&entry->name, name, sizeof(name));
	if (!unix_is_path(entry))
		return has_own_network(r) ? 0
					  : refuse(EADDRINUSE,
						   "only one copy could have the abstract name %s: give each a network "
						   "of its own by --copy-net",
						   name);
	if (copies_differ_in(name) || (entry->name_dir && copies_differ_in(entry->name_dir)))
		return 0;
	/* What it has accepted has the name, but not the file. */
	if (entry->state == TCP_ESTABLISHED && entry->peer)
		return 0;
	return refuse(EADDRINUSE,
		      "only one copy could be bound to %s: give each its own directory by --map-path OLD=NEW-%%k",
		      name);
}

struct option_word {
	unsigned number;
	const char *text;
};

static const struct option_word tcp_states[] = {
	{ TCP_ESTABLISHED, "established" }, { TCP_SYN_SENT, "being connected" },
	{ TCP_FIN_WAIT1, "half closed" },   { TCP_FIN_WAIT2, "half closed" },
	{ TCP_CLOSE_WAIT, "half closed" },  { TCP_CLOSING, "half closed" },
	{ TCP_LAST_ACK, "half closed" },    { TCP_LISTEN, "listening" },
	{ TCP_CLOSE, "not connected" },	    { 0, NULL },
};
static const struct option_word protocols[] = {
	{ IPPROTO_TCP, "TCP" },
	{ IPPROTO_MPTCP, "Multipath TCP" },
	{ IPPROTO_UDP, "UDP" },
	{ IPPROTO_UDPLITE, "UDP-Lite" },
	{ IPPROTO_ICMP, "ping" },
	{ IPPROTO_ICMPV6, "ping" },
	{ 0, NULL },
};
static const struct option_word types[] = {
	{ SOCK_STREAM, "stream" },
	{ SOCK_DGRAM, "datagram" },
	{ SOCK_SEQPACKET, "seqpacket" },
	{ SOCK_RAW, "raw" },
	{ 0, NULL },
};

static const char *find_word(const struct option_word *words, unsigned number, const char *otherwise)
{
	for (; words->text; words++)
		if (words->number == number)
			return words->text;
	return otherwise;
}

const char *inet_describe(const struct file *f, struct pool *pool)
{
	const InetSkEntry *entry = f->entry->isk;
	const char *family = entry->family == AF_INET6 ? " (IPv6)" : "";
	const char *protocol = entry->type == SOCK_RAW ? "raw IP" : find_word(protocols, entry->proto, "TCP");

	const struct inet_socket *socket = f->data;

	if (entry->type != SOCK_STREAM)
		return pool_printf(pool, "%s socket%s", protocol, family);
	if (socket->n_waiting)
		return pool_printf(pool, "%s socket%s, listening, %u connections wait for accept", protocol, family,
				   socket->n_waiting);
	return pool_printf(pool, "%s socket%s, %s", protocol, family,
			   find_word(tcp_states, entry->state, "in an odd state"));
}

const char *unix_describe(const struct file *f, struct pool *pool)
{
	const UnixSkEntry *entry = f->entry->usk;

	return pool_printf(pool, "unix socket, %s, %s", find_word(types, entry->type, "of an odd type"),
			   find_word(tcp_states, entry->state, "in an odd state"));
}
