/* SPDX-License-Identifier: GPL-2.0-only */
/* New internet sockets, before they have a name. */
#include "object/socket/inet/make.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "object/socket/inet/bind.h"
#include "object/socket/inet/inet.h"

/* Raw sockets never take this option, whatever its value. */
static int set_v6only(int fd, const InetSkEntry *entry)
{
	int wanted = entry->v6only, now = 0;
	socklen_t size = sizeof(now);

	if (entry->family != AF_INET6 || (!getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &now, &size) && now == wanted))
		return 0;
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &wanted, sizeof(wanted)) < 0)
		return fail_errno("cannot set the socket option IPV6_V6ONLY");
	return 0;
}

/* Where there is no Multipath TCP its listeners serve all clients as plain ones do, and others connect as well. */
static int open_socket(const InetSkEntry *entry)
{
	int fd = socket((int)entry->family, (int)entry->type | SOCK_CLOEXEC, (int)entry->proto);

	if (fd >= 0 || entry->proto != IPPROTO_MPTCP)
		return fd;
	fd = socket((int)entry->family, (int)entry->type | SOCK_CLOEXEC, IPPROTO_TCP);
	if (fd >= 0)
		log_warn("There is no Multipath TCP here (sysctl net.mptcp.enabled, CONFIG_MPTCP): the socket becomes "
			 "one of plain TCP");
	return fd;
}

/* Other sockets of the tree may have the same name: SO_REUSEADDR is on for all until every one is bound. */
int inet_make_socket(const InetSkEntry *entry, int *ret)
{
	struct socket_options options = inet_options(entry);
	AUTO_CLOSE int fd = open_socket(entry);
	const int on = 1;

	if (fd < 0)
		return fail_errno("cannot make an internet socket (type %u, protocol %u)", entry->type, entry->proto);
	TRY(set_v6only(fd, entry));
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return fail_errno("cannot set the socket option SO_REUSEADDR");
	if (entry->opts->so_reuseport && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
		return fail_errno("cannot set the socket option SO_REUSEPORT");
	TRY(socket_options_apply(fd, &options, OPTION_EARLY));
	*ret = TAKE_FD(fd);
	return 0;
}

int inet_check_free(const InetSkEntry *entry)
{
	/* Multipath TCP has the ports of TCP, but no repair mode. */
	const int protocol = entry->proto == IPPROTO_MPTCP ? IPPROTO_TCP : (int)entry->proto;
	AUTO_CLOSE int fd = socket((int)entry->family, (int)entry->type | SOCK_CLOEXEC, protocol);
	struct socket_options options = inet_options(entry);
	const int on = 1;
	int error;

	/* As inet_make_socket(), but what this user may not set does not matter. */
	if (fd < 0 || set_v6only(fd, entry) < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return 0;
	if (entry->opts->so_reuseport)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	(void)socket_options_apply(fd, &options, OPTION_EARLY);
	error = inet_try_bind(fd, entry);
	if (error == -EADDRINUSE && entry->type == SOCK_STREAM) {
		error = inet_bind_in_repair(fd, entry);
		if (error == 0 && entry->state == TCP_LISTEN && !inet_has_waiting(entry) && listen(fd, 0) < 0)
			error = -errno;
	}
	return error == -EADDRINUSE ? inet_fail_bind(entry, EADDRINUSE) : 0;
}
