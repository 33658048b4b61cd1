/* SPDX-License-Identifier: GPL-2.0-only */
/* What all sockets share. */
#include "object/socket/socket.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/table.h"
#include "base/vector.h"
#include "kern/net/netlink.h"
#include "kern/net/sockdiag-inet.h"
#include "kern/net/sockdiag.h"
#include "object/net/net.h"
#include "session/ids.h"
#include "session/loss.h"

struct socket_dump {
	VECTOR(struct netlink *) netlinks; /* one for each network namespace: inode numbers are good in all of them */
	VECTOR(uint32_t) ids;		   /* of these namespaces, 0: no task lives there */
	struct table *unix_by_ino, *listener_by_client, *packet_by_ino, *netlink_by_ino;
	struct table *inet_by_ino; /* of all families and protocols that were asked for */
	unsigned inet_read;	   /* bits: which of inet_tables[] were */
};

static void close_tables(void *state)
{
	struct socket_dump *sockets = state;

	for (size_t i = 0; i < sockets->netlinks.n; i++)
		netlink_close(&sockets->netlinks.items[i]);
	vector_done(&sockets->netlinks);
	vector_done(&sockets->ids);
	table_destroy(&sockets->unix_by_ino);
	table_destroy(&sockets->listener_by_client);
	table_destroy(&sockets->packet_by_ino);
	table_destroy(&sockets->netlink_by_ino);
	table_destroy(&sockets->inet_by_ino);
}

static const struct state_type socket_dump_state = { sizeof(struct socket_dump), close_tables };

static struct socket_dump *socket_dump_of(const struct dump *d)
{
	return state_find(d->states, &socket_dump_state);
}

static const struct inet_table {
	int family, protocol;
} inet_tables[] = {
	{ AF_INET, IPPROTO_TCP },  { AF_INET6, IPPROTO_TCP },	 { AF_INET, IPPROTO_UDP },
	{ AF_INET6, IPPROTO_UDP }, { AF_INET, IPPROTO_UDPLITE }, { AF_INET6, IPPROTO_UDPLITE },
	{ AF_INET, IPPROTO_RAW },  { AF_INET6, IPPROTO_RAW },
};

int socket_identify(const struct open_file *of, struct socket_identity *ret)
{
	socklen_t size = sizeof(int);

	ret->family = of->domain;
	if (getsockopt(of->fd, SOL_SOCKET, SO_TYPE, &ret->type, &size) < 0 ||
	    getsockopt(of->fd, SOL_SOCKET, SO_PROTOCOL, &ret->protocol, &size) < 0)
		return fail_errno("cannot ask what kind of socket this is");
	return 0;
}

bool socket_is_on(int fd, int level, int option)
{
	int value = 0;
	socklen_t size = sizeof(value);

	return !getsockopt(fd, level, option, &value, &size) && value;
}

bool socket_is_family(const struct open_file *of, int family)
{
	return S_ISSOCK(of->stat.st_mode) && of->domain == family;
}

SkOptsEntry *socket_new_options(struct pool *pool)
{
	SkOptsEntry *options = pool_new(pool, SkOptsEntry);

	sk_opts_entry__init(options);
	return options;
}

int socket_namespace_id(const struct dump *d, const struct open_file *of, uint32_t told, uint32_t *ret)
{
	*ret = told;
	return told ? 0 : network_of_socket(d, of->task, of->fd, ret);
}

void socket_tell_error(const struct dump *d, const struct open_file *of)
{
	struct pollfd state = { .fd = of->fd };

	if (poll(&state, 1, 0) > 0 && state.revents & POLLERR)
		dump_report_loss(d, "an error that the program has not asked for yet (SO_ERROR), or what waits in the "
				    "error queue (MSG_ERRQUEUE)");
}

/* --- tables of the kernel --- */

static int open_tables(const struct dump *d, void *arg)
{
	struct socket_dump *sockets = arg;
	struct netlink *netlink;
	struct stat st;
	int result = netlink_open(NETLINK_SOCK_DIAG, &netlink);

	if (result < 0)
		return fail(-result, "cannot open a sock_diag socket");
	*vector_push(&sockets->netlinks) = netlink;
	*vector_push(&sockets->ids) = stat("/proc/thread-self/ns/net", &st) < 0 ? 0 : network_of_inode(d, st.st_ino);
	return 0;
}

static int get_tables(const struct dump *d, struct socket_dump **ret)
{
	if (!socket_dump_of(d)) {
		state_make(d->states, &socket_dump_state);
		TRY(network_dump_each(d, open_tables, socket_dump_of(d)));
	}
	*ret = socket_dump_of(d);
	return 0;
}

static int check_result(int result, const char *what)
{
	return result < 0 ? fail(-result, "cannot read the table of %s sockets", what) : 0;
}

static int read_unix(const struct dump *d, struct socket_dump **ret)
{
	TRY(get_tables(d, ret));
	if ((*ret)->unix_by_ino)
		return 0;
	(*ret)->unix_by_ino = table_create();
	(*ret)->listener_by_client = table_create();
	for (size_t i = 0; i < (*ret)->netlinks.n; i++)
		TRY(check_result(sockdiag_read_unix((*ret)->netlinks.items[i], d->pool, (*ret)->ids.items[i],
						    (*ret)->unix_by_ino, (*ret)->listener_by_client),
				 "unix"));
	return 0;
}

int socket_find_unix(const struct dump *d, uint32_t ino, const struct unix_diag **ret)
{
	struct socket_dump *sockets = NULL;

	TRY(read_unix(d, &sockets));
	*ret = table_find(sockets->unix_by_ino, ino);
	return 0;
}

size_t socket_count_unix(const struct dump *d)
{
	const struct socket_dump *sockets = socket_dump_of(d);

	return sockets && sockets->unix_by_ino ? table_count(sockets->unix_by_ino) : 0;
}

int socket_find_listener(const struct dump *d, uint32_t client, const struct unix_diag **ret)
{
	struct socket_dump *sockets = NULL;

	TRY(read_unix(d, &sockets));
	*ret = table_find(sockets->listener_by_client, client);
	return 0;
}

int socket_find_packet(const struct dump *d, uint32_t ino, const struct packet_diag **ret)
{
	struct socket_dump *sockets = NULL;

	TRY(get_tables(d, &sockets));
	if (!sockets->packet_by_ino) {
		sockets->packet_by_ino = table_create();
		for (size_t i = 0; i < sockets->netlinks.n; i++)
			TRY(check_result(sockdiag_read_packet(sockets->netlinks.items[i], d->pool,
							      sockets->packet_by_ino),
					 "packet"));
	}
	*ret = table_find(sockets->packet_by_ino, ino);
	return 0;
}

int socket_find_netlink(struct dump *d, uint32_t ino, const struct netlink_diag **ret)
{
	struct socket_dump *sockets = NULL;

	TRY(get_tables(d, &sockets));
	if (!sockets->netlink_by_ino) {
		sockets->netlink_by_ino = table_create();
		for (size_t i = 0; i < sockets->netlinks.n; i++)
			TRY(check_result(sockdiag_read_netlink(sockets->netlinks.items[i], d->pool,
							       sockets->netlink_by_ino),
					 "netlink"));
	}
	*ret = table_find(sockets->netlink_by_ino, ino);
	return 0;
}

int socket_find_inet(const struct dump *d, const struct socket_identity *identity, uint32_t ino,
		     const struct inet_diag **ret)
{
	int protocol = identity->type == SOCK_RAW ? IPPROTO_RAW : identity->protocol;
	struct socket_dump *sockets = NULL;

	/* Its first subflow is in the table of TCP, under the same inode. */
	if (protocol == IPPROTO_MPTCP)
		protocol = IPPROTO_TCP;
	TRY(get_tables(d, &sockets));
	if (!sockets->inet_by_ino)
		sockets->inet_by_ino = table_create();
	for (unsigned i = 0; i < ARRAY_SIZE(inet_tables); i++) {
		const struct inet_table *table = &inet_tables[i];

		if (table->family != identity->family || table->protocol != protocol || sockets->inet_read & (1u << i))
			continue;
		for (size_t k = 0; k < sockets->netlinks.n; k++)
			TRY(check_result(sockdiag_read_inet(sockets->netlinks.items[k], d->pool, sockets->ids.items[k],
							    table->family, protocol, sockets->inet_by_ino),
					 "internet"));
		sockets->inet_read |= 1u << i;
	}
	*ret = table_find(sockets->inet_by_ino, ino);
	return 0;
}

int socket_shares_name(const struct dump *d, const struct socket_identity *identity, uint32_t ino, bool *ret)
{
	const struct inet_diag *own, *other;
	size_t cursor = 0;

	TRY(socket_find_inet(d, identity, ino, &own));
	*ret = !own; /* this kernel does not tell */
	while (own && (other = table_next(socket_dump_of(d)->inet_by_ino, &cursor)))
		*ret |= other != own && other->protocol == own->protocol && other->family == own->family &&
			other->src_port == own->src_port && !memcmp(other->src, own->src, sizeof(own->src));
	return 0;
}

/* --- restore --- */

int socket_set_user(const struct restore *r, const struct file *f)
{
	const CredsEntry *creds = NULL;
	uid_t uid;
	gid_t gid;

	if (f->entry->owner)
		return file_set_inode_owner(r, f);
	if (f->owner && f->owner->leader->core && f->owner->leader->core->thread_core)
		creds = f->owner->leader->core->thread_core->creds;
	if (!creds)
		return 0;
	uid = restore_outer_uid(r, creds->fsuid);
	gid = restore_outer_gid(r, creds->fsgid);
	if (uid == restore_maker_uid(r) && gid == restore_maker_gid(r))
		return 0;
	if (fchown(f->fd, uid, gid) < 0)
		return fail_errno("cannot give the socket to user %u", creds->fsuid);
	return 0;
}

int socket_apply_shutdown(int fd, SkShutdown how)
{
	if (how == SK_SHUTDOWN__NONE)
		return 0;
	if (shutdown(fd, (int)how - 1) < 0 && errno != ENOTCONN)
		return fail_errno("cannot shut the socket down (%d)", how);
	return 0;
}
