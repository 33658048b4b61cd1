/* SPDX-License-Identifier: GPL-2.0-only */
/* Netlink sockets: address, peer, groups. */
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pool.h"
#include "kern/net/netns.h"
#include "object/file/file.h"
#include "object/net/net.h"
#include "object/socket/options.h"
#include "object/socket/socket.h"
#include "session/loss.h"
#include "sk-netlink.pb-c.h"

#define GROUP_WORDS_MAX 1024 /* of 32 groups each */

static bool is_netlink(const struct open_file *of)
{
	return socket_is_family(of, AF_NETLINK);
}

static struct socket_options options_of(const NetlinkSkEntry *entry)
{
	return (struct socket_options){ AF_NETLINK, SOCK_RAW, (int)entry->protocol, .common = entry->opts };
}

/* --- dump --- */

static int dump_names(int fd, NetlinkSkEntry *entry)
{
	struct sockaddr_nl own = { 0 }, peer = { 0 };
	socklen_t size = sizeof(own);

	if (getsockname(fd, (struct sockaddr *)&own, &size) < 0)
		return fail_errno("cannot ask for the address of the netlink socket");
	size = sizeof(peer);
	if (getpeername(fd, (struct sockaddr *)&peer, &size) < 0)
		return fail_errno("cannot ask for the peer of the netlink socket");
	entry->portid = own.nl_pid;
	entry->dst_portid = peer.nl_pid;
	entry->dst_group = peer.nl_groups ? (uint32_t)__builtin_ctz(peer.nl_groups) + 1 : 0;
	entry->state = peer.nl_pid || peer.nl_groups ? NETLINK_CONNECTED : NETLINK_UNCONNECTED;
	return 0;
}

static int dump_groups(int fd, NetlinkSkEntry *entry, struct pool *pool)
{
	socklen_t size = 0;

	if (getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, NULL, &size) < 0)
		return fail_errno("cannot ask for the groups of the netlink socket");
	if (!size)
		return 0;
	entry->groups = pool_alloc(pool, size);
	if (getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, entry->groups, &size) < 0)
		return fail_errno("cannot ask for the groups of the netlink socket");
	entry->n_groups = size / sizeof(uint32_t);
	while (entry->n_groups && !entry->groups[entry->n_groups - 1])
		entry->n_groups--;
	return 0;
}

/*
 * Messages of the kernel cannot be put back: only it can send as itself. A notification may get lost at any time,
 * whoever listens to them has to cope with that; an answer may not.
 */
static int check_queue(int fd)
{
	struct sockaddr_nl from = { 0 };
	struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof(from) };
	ssize_t size = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC);

	if (size < 0)
		return 0;
	if (!from.nl_groups)
		return refuse(
			EBUSY,
			"an answer of %zd bytes waits unread in a netlink socket and cannot be kept; try again later",
			size);
	log_warn("Notifications that wait unread in a netlink socket will be lost");
	return 0;
}

/* Rows that begin with what is given to whom: a number and the port of a socket. */
static const struct {
	const char *path, *what, *name;
} given[] = {
	{ "/proc/thread-self/net/netfilter/nfnetlink_queue", "queue", "NFQUEUE" },
	{ "/proc/thread-self/net/netfilter/nfnetlink_log", "group", "NFLOG" },
};

/* The kernel does not tell how they were set up. */
static int tell_given(const struct dump *d, const NetlinkSkEntry *entry)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;

	if (entry->protocol != NETLINK_NETFILTER || !entry->portid)
		return 0;
	TRY(network_dump_enter(d, entry->ns_id, &entered));
	for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
		AUTO_FREE char *text = NULL;
		unsigned number, port;

		if (file_read_all(AT_FDCWD, given[i].path, &text, NULL) < 0)
			continue;
		for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
			if (sscanf(line, "%u %u", &number, &port) == 2 && port == entry->portid)
				dump_report_loss(d,
						 "its %s %u (%s) of the firewall, from which it gets packets: the "
						 "program must ask for it again",
						 given[i].what, number, given[i].name);
	}
	return 0;
}

static int dump_netlink(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	NetlinkSkEntry *entry = out->nlsk;
	struct socket_identity identity;
	struct socket_options options;

	TRY(socket_identify(of, &identity));
	entry->id = of->id;
	entry->ino = of->stat.st_ino;
	entry->protocol = identity.protocol;
	entry->flags = of->flags;
	entry->fown = of->owner;
	entry->opts = socket_new_options(d->pool);
	entry->has_ns_id = true;
	TRY(socket_namespace_id(d, of, 0, &entry->ns_id));
	TRY(check_queue(of->fd));
	TRY(dump_names(of->fd, entry));
	TRY(dump_groups(of->fd, entry, d->pool));
	TRY(tell_given(d, entry));
	options = options_of(entry);
	return socket_options_dump(d, of, &options);
}

/* --- restore --- */

static int load_netlink(const struct restore *r, struct file *f)
{
	const NetlinkSkEntry *entry = f->entry->nlsk;

	if (entry->n_groups > GROUP_WORDS_MAX || entry->dst_group > 32)
		return refuse(EINVAL, "its groups (%zu words, peer %u) make no sense", entry->n_groups,
			      entry->dst_group);
	return 0;
}

static int bind_address(int fd, const NetlinkSkEntry *entry)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_pid = entry->portid };

	if (!entry->portid)
		return 0;
	if (!bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return 0;
	if (errno != EADDRINUSE)
		return fail_errno("cannot bind a netlink socket to the port %u", entry->portid);
	log_warn("The netlink port %u is taken by another socket, a free one is used", entry->portid);
	address.nl_pid = 0;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail_errno("cannot bind a netlink socket");
	return 0;
}

static int connect_peer(int fd, const NetlinkSkEntry *entry)
{
	const struct sockaddr_nl peer = {
		.nl_family = AF_NETLINK,
		.nl_pid = entry->dst_portid,
		.nl_groups = entry->dst_group ? 1u << (entry->dst_group - 1) : 0,
	};

	if (!entry->dst_portid && !entry->dst_group)
		return 0;
	if (connect(fd, (const struct sockaddr *)&peer, sizeof(peer)) < 0)
		return fail_errno("cannot connect a netlink socket to port %u", entry->dst_portid);
	return 0;
}

static int join_groups(int fd, const NetlinkSkEntry *entry)
{
	for (unsigned i = 0; i < entry->n_groups * 32; i++) {
		int group = (int)i + 1;

		if (!(entry->groups[i / 32] & (1u << i % 32)))
			continue;
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
			return fail_errno("cannot join group %d of netlink protocol %u", group, entry->protocol);
	}
	return 0;
}

static int create_netlink(struct restore *r, struct file *f)
{
	const NetlinkSkEntry *entry = f->entry->nlsk;
	struct socket_options options = options_of(entry);
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, (int)entry->protocol);

	if (fd < 0)
		return fail_errno("cannot make a netlink socket of protocol %u", entry->protocol);
	TRY(socket_options_apply(fd, &options, OPTION_EARLY));
	TRY(bind_address(fd, entry));
	TRY(connect_peer(fd, entry));
	TRY(socket_options_apply(fd, &options, OPTION_LATE));
	TRY(socket_options_apply(fd, &options, OPTION_LAST));
	TRY(join_groups(fd, entry));
	TRY(file_apply_flags(fd, entry->flags, entry->fown));
	f->fd = TAKE_FD(fd);
	return socket_set_user(r, f);
}

const struct file_kind netlink_kind = {
	.name = "netlink socket",
	.type = FD_TYPES__NETLINKSK,
	.entry = offsetof(FileEntry, nlsk),
	.format = S_IFSOCK,
	.is = is_netlink,
	.dump = dump_netlink,
	.load = load_netlink,
	.create = create_netlink,
};
