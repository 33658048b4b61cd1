/* SPDX-License-Identifier: GPL-2.0-only */
/* Internet sockets: TCP, UDP, UDP-Lite, ping and raw sockets. Connections of TCP are in tcp.c. */
#include "object/socket/inet/inet.h"

#include <fcntl.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <soccr.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "kern/net/sockdiag.h"
#include "object/net/net.h"
#include "object/socket/inet/address.h"
#include "object/socket/inet/bind.h"
#include "object/socket/inet/hidden.h"
#include "object/socket/inet/make.h"
#include "object/socket/inet/mptcp.h"
#include "object/socket/inet/told.h"
#include "object/socket/inet/map.h"
#include "object/socket/inet/multicast.h"
#include "object/socket/inet/tcp-ended.h"
#include "object/socket/inet/tcp.h"
#include "object/socket/inet/tcp-backlog.h"
#include "object/socket/inet/tcp-requeue.h"
#include "object/socket/inet/udp-cork.h"
#include "object/socket/inet/udp-queue.h"
#include "object/socket/inspect.h"
#include "object/socket/needs.h"
#include "session/given.h"

#define ICMPV6_FILTER_WORDS 8
#define IPPROTO_L2TP_	    115
#define IPPROTO_SMC_	    256 /* Linux 6.11 */

/* The protocols beside raw ones, with the words that messages use. */
static const struct protocol {
	int type, protocol;
	const char *name;
} protocols[] = {
	{ SOCK_STREAM, IPPROTO_TCP, "TCP" },  { SOCK_STREAM, IPPROTO_MPTCP, "Multipath TCP" },
	{ SOCK_DGRAM, IPPROTO_UDP, "UDP" },   { SOCK_DGRAM, IPPROTO_UDPLITE, "UDP-Lite" },
	{ SOCK_DGRAM, IPPROTO_ICMP, "ping" }, { SOCK_DGRAM, IPPROTO_ICMPV6, "ping" },
};

/* What cannot be saved. */
static const struct {
	int protocol;
	const char *name;
} unknown[] = {
	{ IPPROTO_SCTP, "SCTP" },
	{ IPPROTO_DCCP, "DCCP" },
	{ IPPROTO_L2TP_, "L2TP" },
	{ IPPROTO_SMC_, "SMC" },
};

struct network_groups {
	struct network_groups *next;
	uint32_t id;
	struct multicast_groups *groups;
};

/* What the kind keeps during a dump. */
struct inet_dump {
	struct list waiting;	       /* connections, for tcp_dump_finish() */
	struct network_groups *groups; /* of each network namespace that was asked for */
	struct hidden_seen seen;
};

static const struct state_type inet_dump_state = { sizeof(struct inet_dump), NULL };

static struct inet_dump *inet_dump_of(const struct dump *d)
{
	struct inet_dump *dump = state_get(d->states, &inet_dump_state);

	if (!dump->waiting.next)
		list_init(&dump->waiting);
	return dump;
}

static bool is_inet(const struct open_file *of)
{
	return socket_is_family(of, AF_INET) || socket_is_family(of, AF_INET6);
}

static bool is_known(int type, int protocol)
{
	if (type == SOCK_RAW)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (protocols[i].type == type && protocols[i].protocol == protocol)
			return true;
	return false;
}

static bool is_tcp(const InetSkEntry *entry)
{
	return entry->type == SOCK_STREAM;
}

struct socket_options inet_options(const InetSkEntry *entry)
{
	return (struct socket_options){ (int)entry->family,
					(int)entry->type,
					(int)entry->proto,
					is_tcp(entry) && tcp_is_connection(entry->state),
					entry->opts,
					entry->ip_opts,
					entry->ip_opts ? entry->ip_opts->raw : NULL,
					entry->tcp_opts };
}

/* --- dump --- */

static int check_protocol(const struct socket_identity *identity)
{
	if (is_known(identity->type, identity->protocol))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		if (unknown[i].protocol == identity->protocol)
			return refuse(EOPNOTSUPP, "a socket of %s cannot be saved", unknown[i].name);
	return refuse(EOPNOTSUPP, "an internet socket of type %d, protocol %d cannot be saved", identity->type,
		      identity->protocol);
}

/* The kernel's word for the ICMP messages that a raw socket does not want. Each family has it for its own ICMP only. */
static int dump_icmp_filter(int fd, const InetSkEntry *entry, IpOptsRawEntry *raw, struct pool *pool)
{
	bool v6 = entry->proto == IPPROTO_ICMPV6;
	socklen_t size = v6 ? ICMPV6_FILTER_WORDS * sizeof(uint32_t) : sizeof(uint32_t);

	if (entry->proto != (entry->family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return 0;
	raw->icmpv_filter = pool_alloc(pool, size);
	if (getsockopt(fd, v6 ? IPPROTO_ICMPV6 : SOL_RAW, v6 ? ICMPV6_FILTER : ICMP_FILTER, raw->icmpv_filter, &size) <
	    0)
		return fail_errno("cannot read the ICMP filter");
	raw->n_icmpv_filter = size / sizeof(uint32_t);
	return 0;
}

static int dump_options(const struct dump *d, const struct open_file *of, const struct inet_diag *diag,
			InetSkEntry *entry)
{
	struct pool *pool = d->pool;
	struct socket_options options;
	int v6only;
	socklen_t size = sizeof(v6only);

	entry->opts = socket_new_options(pool);
	entry->ip_opts = pool_new(pool, IpOptsEntry);
	ip_opts_entry__init(entry->ip_opts);
	entry->tcp_opts = pool_new(pool, TcpOptsEntry);
	tcp_opts_entry__init(entry->tcp_opts);
	if (entry->type == SOCK_RAW) {
		entry->ip_opts->raw = pool_new(pool, IpOptsRawEntry);
		ip_opts_raw_entry__init(entry->ip_opts->raw);
		TRY(dump_icmp_filter(of->fd, entry, entry->ip_opts->raw, pool));
	}
	if (entry->family == AF_INET6) {
		if (getsockopt(of->fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, &size) < 0)
			return fail_errno("cannot read the socket option IPV6_V6ONLY");
		entry->has_v6only = v6only;
		entry->v6only = v6only;
	}
	options = inet_options(entry);
	options.told = diag ? inet_told : NULL;
	options.diag = diag;
	return socket_options_dump(d, of, &options);
}

/* Both directions of the end of a closed or an unconnected socket, as far as poll(2) shows it. */
static uint8_t guess_shutdown(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLRDHUP };

	if (poll(&poll_fd, 1, 0) <= 0 || !(poll_fd.revents & POLLRDHUP))
		return SK_SHUTDOWN__NONE;
	return poll_fd.revents & POLLHUP ? SK_SHUTDOWN__BOTH : SK_SHUTDOWN__READ;
}

/* Kernel TLS and the like: its keys can be asked for (TLS_TX, TLS_RX), but not the records of which it has a part. */
static int check_layer(int fd)
{
	char name[17] = "";
	socklen_t size = sizeof(name) - 1;

	if (getsockopt(fd, IPPROTO_TCP, TCP_ULP, name, &size) < 0 || !name[0])
		return 0;
	return refuse(EOPNOTSUPP, "a TCP connection with the protocol layer \"%s\" in the kernel cannot be saved",
		      name);
}

/* Which options a TCP socket has depends on its state. */
static int read_tcp_info(const struct open_file *of, InetSkEntry *entry, struct tcp_info *info)
{
	socklen_t size = sizeof(*info);

	if (!is_tcp(entry))
		return 0;
	if (getsockopt(of->fd, IPPROTO_TCP, TCP_INFO, info, &size) < 0)
		return fail_errno("cannot ask for the state of the connection");
	entry->state = info->tcpi_state;
	return entry->proto == IPPROTO_MPTCP ? 0 : check_layer(of->fd);
}

static int save_rest(struct dump *d, const struct open_file *of, void *arg)
{
	return tcp_save_rest(d, of->fd, arg);
}

static int dump_tcp_state(const struct dump *d, const struct open_file *of, const struct tcp_info *info,
			  InetSkEntry *entry)
{
	if (entry->state == TCP_LISTEN) {
		entry->backlog = info->tcpi_sacked;
		return tcp_backlog_dump(d, of, entry, info->tcpi_unacked);
	}
	if (tcp_is_ended(entry))
		file_dump_save(d, save_rest, entry);
	return tcp_is_connection(entry->state) ? tcp_dump(d, of, entry, &inet_dump_of(d)->waiting) : 0;
}

/* A datagram held back by UDP_CORK or MSG_MORE. What is only on its way out is gone in a moment. */
static int save_corked(struct dump *d, const struct open_file *of, InetSkEntry *entry)
{
	int bytes = 0;

	if (entry->type != SOCK_DGRAM)
		return 0;
	for (int i = 0; i < 20; i++) {
		if (ioctl(of->fd, SIOCOUTQ, &bytes) < 0 || !bytes)
			return 0;
		poll(NULL, 0, 5);
	}
	if (entry->proto != IPPROTO_UDP && entry->proto != IPPROTO_UDPLITE)
		return refuse(EBUSY, "a datagram waits to be sent (MSG_MORE); it cannot be read, try again later");
	return udp_cork_dump(of->fd, entry, d->pool);
}

/* Of the namespace that we are in, which is that of the socket. */
static const struct multicast_groups *groups_of(const struct dump *d, const InetSkEntry *entry)
{
	struct network_groups **place = &inet_dump_of(d)->groups;

	while (*place && (*place)->id != entry->ns_id)
		place = &(*place)->next;
	if (!*place) {
		*place = pool_new(d->pool, struct network_groups);
		(*place)->id = entry->ns_id;
		(*place)->groups = multicast_read(d->pool);
	}
	return (*place)->groups;
}

static int save_datagrams(struct dump *d, const struct open_file *of, void *arg)
{
	TRY(save_corked(d, of, arg));
	return udp_queue_dump(d, of->fd, arg);
}

static int dump_inet(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	InetSkEntry *entry = out->isk;
	struct socket_identity identity;
	const struct inet_diag *diag;
	struct tcp_info info = { 0 };
	uint8_t shut;

	TRY(socket_identify(of, &identity));
	TRY(check_protocol(&identity));
	TRY(socket_find_inet(d, &identity, of->stat.st_ino, &diag));
	entry->id = of->id;
	entry->ino = of->stat.st_ino;
	entry->family = identity.family;
	entry->type = identity.type;
	entry->proto = identity.protocol;
	entry->flags = of->flags;
	entry->fown = of->owner;
	entry->has_ns_id = true;
	TRY(socket_namespace_id(d, of, diag ? diag->space : 0, &entry->ns_id));
	shut = diag ? diag->shutdown : guess_shutdown(of->fd);
	entry->has_shutdown = shut != 0;
	entry->shutdown = (SkShutdown)shut;
	TRY(inet_dump_addresses(of->fd, diag, entry, d->pool));
	entry->has_foreign = entry->foreign = inet_is_foreign(d, entry);
	TRY(read_tcp_info(of, entry, &info));
	TRY(mptcp_dump(d, of, entry));
	/* The row of one of Multipath TCP is that of its first subflow. */
	TRY(dump_options(d, of, identity.protocol == IPPROTO_MPTCP ? NULL : diag, entry));
	TRY(hidden_dump(d, of, diag, entry, &inet_dump_of(d)->seen));
	if (is_tcp(entry))
		return dump_tcp_state(d, of, &info, entry);
	file_dump_save(d, save_datagrams, entry);
	multicast_dump(groups_of(d, entry), of->fd, entry, d->pool);
	entry->state = inet_is_connected(entry) ? TCP_ESTABLISHED : TCP_CLOSE;
	return 0;
}

static int write_inet(struct dump *d)
{
	return tcp_dump_write(d, &inet_dump_of(d)->waiting);
}

/* --- restore --- */

static void release_connections(void *state)
{
	struct inet_socket *socket;

	list_for_each(socket, (struct list *)state, all)
		if (socket->connection)
			libsoccr_release(TAKE_PTR(socket->connection));
}

static const struct state_type inet_sockets_state = { sizeof(struct list), release_connections };

struct list *inet_sockets_of(const struct restore *r)
{
	return state_find(r->states, &inet_sockets_state);
}

static int prepare_inet(const struct restore *r)
{
	list_init(state_make(r->states, &inet_sockets_state));
	return tcp_backlog_prepare(r);
}

static int load_inet(const struct restore *r, struct file *f)
{
	InetSkEntry *entry = f->entry->isk;
	struct inet_socket *socket = pool_new(r->pool, struct inet_socket);

	if (entry->family != AF_INET && entry->family != AF_INET6)
		return refuse(EINVAL, "family %u is not an internet family", entry->family);
	if (!is_known((int)entry->type, (int)entry->proto))
		return refuse(EINVAL, "an internet socket of type %u, protocol %u is unknown", entry->type,
			      entry->proto);
	TRY(inet_check_addresses(entry));
	TRY(multicast_check(entry));
	TRY(udp_cork_check(entry));
	TRY(udp_queue_check(entry));
	socket->file = f;
	socket->entry = entry;
	f->data = socket;
	list_push(inet_sockets_of(r), &socket->all);
	/* The lock knows it by the addresses of the dump. */
	if (tcp_is_ended(entry) || (is_tcp(entry) && tcp_is_connection(entry->state)))
		network_restore_add(r, entry);
	inet_map_addresses(r, entry);
	TRY(tcp_backlog_load(r, socket));
	return is_tcp(entry) && tcp_is_connection(entry->state) ? tcp_load(r, socket) : 0;
}

/* Our descriptor is needed at the end: for options that would keep the others from their names. */
static int link_inet(const struct restore *r, struct file *f)
{
	TRY(tcp_backlog_link(r));
	return file_use(r, f->id, NULL);
}

static int apply_icmp_filter(int fd, const InetSkEntry *entry)
{
	const IpOptsRawEntry *raw = entry->ip_opts ? entry->ip_opts->raw : NULL;
	bool v6 = entry->proto == IPPROTO_ICMPV6;

	if (!raw || !raw->n_icmpv_filter)
		return 0;
	if (setsockopt(fd, v6 ? IPPROTO_ICMPV6 : SOL_RAW, v6 ? ICMPV6_FILTER : ICMP_FILTER, raw->icmpv_filter,
		       raw->n_icmpv_filter * sizeof(uint32_t)) < 0)
		return fail_errno("cannot set the ICMP filter");
	return 0;
}

static int connect_socket(int fd, const InetSkEntry *entry)
{
	union inet_address address;
	char name[128];

	TRY(inet_destination(entry, &address));
	if (!connect(fd, &address.any, inet_address_size(&address)))
		return 0;
	inet_print(entry, name, sizeof(name));
	return fail_errno("cannot connect %s", name);
}

static int start_listening(struct restore *r, int fd, const InetSkEntry *entry)
{
	unsigned waited = 0;

	while (listen(fd, (int)entry->backlog) < 0) {
		if (errno != EADDRINUSE)
			return fail_errno("cannot listen on port %u", entry->src_port);
		if (!inet_make_room(r, entry, &waited))
			return inet_fail_bind(entry, EADDRINUSE);
	}
	return 0;
}

static int name_socket(struct restore *r, struct inet_socket *socket, int fd)
{
	const InetSkEntry *entry = socket->entry;

	if (is_tcp(entry) && tcp_is_connection(entry->state))
		return tcp_restore(r, socket, fd);
	if (tcp_is_ended(entry) && !socket->nameless)
		return tcp_restore_ended(r, socket, fd);
	TRY(inet_bind(r, socket, fd));
	if (is_tcp(entry) && entry->state == TCP_LISTEN)
		TRY(start_listening(r, fd, entry));
	TRY(udp_queue_restore(fd, entry));
	if (!is_tcp(entry) && entry->state == TCP_ESTABLISHED)
		TRY(connect_socket(fd, entry));
	if (entry->has_shutdown)
		TRY(socket_apply_shutdown(fd, entry->shutdown));
	return apply_icmp_filter(fd, entry);
}

/* Its address was gone at the dump already, and may come back: no reason to lose the connection. */
static int name_foreign(struct restore *r, struct inet_socket *socket, int fd)
{
	int before, result;

	if (!socket->entry->foreign || !inet_is_connected(socket->entry))
		return name_socket(r, socket, fd);
	TRY(inet_begin_foreign(socket->entry, fd, &before));
	result = name_socket(r, socket, fd);
	return result < 0 ? result : inet_end_foreign(socket->entry, fd, before);
}

static int make_named(struct restore *r, struct inet_socket *socket, int *ret)
{
	int result;

	for (int tries = 0; tries < 3; tries++) {
		AUTO_CLOSE int fd = -1;

		TRY(inet_make_socket(socket->entry, &fd));
		result = name_foreign(r, socket, fd);
		if (result >= 0)
			*ret = TAKE_FD(fd);
		if (result != -EAGAIN)
			return result;
	}
	return inet_fail_bind(socket->entry, EADDRINUSE);
}

static int create_inet(struct restore *r, struct file *f)
{
	struct inet_socket *socket = f->data;
	struct socket_options options = inet_options(socket->entry);
	AUTO_CLOSE int fd = -1;
	char key[32];
	int result;

	snprintf(key, sizeof(key), "socket:[%u]", socket->entry->ino);
	result = given_descriptor(r, key, &f->fd);
	if (result >= 0 && socket->n_waiting)
		log_warn("%u connections that waited for accept(2) are not put into the socket that was given",
			 socket->n_waiting);
	if (result != -ENOENT)
		return result;
	TRY(make_named(r, socket, &fd));
	TRY(socket_options_apply(fd, &options, OPTION_LATE));
	TRY(multicast_restore(socket->entry, fd));
	TRY(tcp_backlog_restore(r, socket, fd));
	if (socket->entry->corked)
		TRY(udp_cork_write(fd, socket->entry, socket->entry->corked));
	TRY(file_apply_flags(fd, socket->entry->flags, socket->entry->fown));
	f->fd = TAKE_FD(fd);
	return 0;
}

static int finish_inet(struct restore *r, struct inet_socket *socket)
{
	struct socket_options options = inet_options(socket->entry);

	TRY(socket_options_apply(socket->file->fd, &options, OPTION_LAST));
	return socket_set_user(r, socket->file);
}

static bool has_unread(const struct inet_socket *socket)
{
	const char *bytes;

	return socket->stream && tcp_stream_data(socket->stream, &bytes)->inq_len;
}

/* Leaving repair mode switches SO_REUSEADDR off. */
static int leave_repair(struct restore *r, struct inet_socket *socket)
{
	libsoccr_resume(TAKE_PTR(socket->connection));
	socket->awake = true;
	return finish_inet(r, socket);
}

static int settle_inet(struct restore *r, struct file *f)
{
	struct inet_socket *socket = f->data;
	int fd;

	TRY(file_get_fd(r, f, &fd));
	if (!socket->connection) {
		TRY(finish_inet(r, socket));
		file_put(r, f);
		return 0;
	}
	/* Who reads or writes in the background would fail in repair mode. What leaving that mode sends is kept away by
	 * the lock. */
	return f->pushed || (f->awaited && has_unread(socket)) ? leave_repair(r, socket) : 0;
}

/* Packets may pass again, and the connections leave repair mode. The other ends have noticed nothing until now. */
static int resume_inet(struct restore *r)
{
	struct inet_socket *socket;

	TRY(network_restore_unlock(r));
	tcp_backlog_release(r);
	list_for_each(socket, inet_sockets_of(r), all) {
		if (!socket->connection)
			continue;
		LOG_SCOPE("file %u (internet socket)", socket->file->id);
		TRY(leave_repair(r, socket));
	}
	return 0;
}

/* A connection that is closed in repair mode ends without a word: its other end waits for the next restore. */
static void let_go_of_connections(struct restore *r)
{
	struct inet_socket *socket;
	const int on = 1;

	if (!inet_sockets_of(r))
		return;
	list_for_each(socket, inet_sockets_of(r), all) {
		if (!socket->awake)
			continue;
		if (r->failed && setsockopt(socket->file->fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) < 0)
			log_warn("file %u: the other end of this connection will see that it ends: %s",
				 socket->file->id, strerror(errno));
		file_put(r, socket->file);
	}
}

static int clean_inet(struct restore *r)
{
	let_go_of_connections(r);
	tcp_backlog_clean(r);
	state_destroy(r->states, &inet_sockets_state);
	network_restore_end(r);
	return 0;
}

const struct file_kind inet_kind = {
	.name = "internet socket",
	.type = FD_TYPES__INETSK,
	.entry = offsetof(FileEntry, isk),
	.format = S_IFSOCK,
	.is = is_inet,
	.dump = dump_inet,
	.write = write_inet,
	.prepare = prepare_inet,
	.load = load_inet,
	.link = link_inet,
	.needs = inet_need,
	.copies = inet_copies,
	.describe = inet_describe,
	.inspect = inet_inspect,
	.create = create_inet,
	.settle = settle_inet,
	.resume = resume_inet,
	.clean = clean_inet,
};
