/* SPDX-License-Identifier: GPL-2.0-only */
/* Who the client is, by the credentials of its socket, and acting in its name. */
#include "service/client.h"

#include "service/client-bounds.h"
#include "service/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/pool.h"
#include "kern/capability.h"
#include "kern/pidfd.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* asm-generic/socket.h of Linux 6.5 */
#endif

/* Not by its pid, which may have got another owner; older kernels know no better. */
static int open_peer(int fd, pid_t pid)
{
	socklen_t size = sizeof(int);
	int pidfd;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0)
		return pidfd;
	return errno == ENOPROTOOPT ? pidfd_of_process(pid) : -errno;
}

int client_identify(struct connection *connection)
{
	int fd = connection->fd, type;
	socklen_t size = sizeof(connection->peer), type_size = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) < 0)
		return fail_errno("descriptor %d is no socket of a client", fd);
	if (type != SOCK_SEQPACKET)
		return refuse(ESOCKTNOSUPPORT,
			      "descriptor %d: the socket of a client must be of the type SOCK_SEQPACKET", fd);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &connection->peer, &size) < 0)
		return fail_errno("asking who the client is");
	return 0;
}

/* SO_PEERGROUPS: since 4.13. */
static int take_groups(int fd, gid_t gid)
{
	AUTO_FREE gid_t *groups = NULL;
	socklen_t size = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) < 0 && errno != ERANGE)
		size = 0;
	groups = xmalloc(size + sizeof(gid_t));
	groups[0] = gid;
	if (size && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return fail_errno("asking for the client's groups");
	if (setgroups(size / sizeof(gid_t), groups) < 0)
		return fail_errno("taking the client's groups");
	return 0;
}

#define BIT(capability) (1ull << (capability))

/*
 * The kernel itself sees to it that only tasks and files are touched that the client could touch, and that none is
 * restored with more rights: without CAP_SYS_PTRACE, CAP_DAC_OVERRIDE, CAP_SETUID and all others.
 * CAP_CHECKPOINT_RESTORE lets us choose pids, and open mapped files that have no name any more. Not even CAP_SYS_ADMIN
 * for seccomp filters: it opens far too many doors to be held while images are carried out that a stranger wrote.
 */
static int keep_capabilities(void)
{
	int error = capability_keep(BIT(CAP_CHECKPOINT_RESTORE));

	return error < 0 ? fail(-error, "giving up capabilities") : 0;
}

/* Neither the terminal that the service was started from, nor its output, nor its environment are the client's. */
static int leave_service(void)
{
	AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return fail_errno("opening /dev/null");
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup2(null, fd) < 0)
			return fail_errno("replacing descriptor %d", fd);
	/* A user may make its own worker dump core. */
	for (char **variable = environ; *variable; variable++)
		memset(*variable, 0, strlen(*variable));
	if (clearenv() != 0 || setenv("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", 1) < 0)
		return fail(ENOMEM, "preparing the environment");
	return 0;
}

static int take_rights(int fd, const struct ucred *peer)
{
	TRY(take_groups(fd, peer->gid));
	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setresgid(peer->gid, peer->gid, peer->gid) < 0 ||
	    setresuid(peer->uid, peer->uid, peer->uid) < 0)
		return fail_errno("taking the rights of the client, user %u", peer->uid);
	TRY(keep_capabilities());
	if (prctl(PR_SET_KEEPCAPS, 0) < 0)
		return fail_errno("resetting the securebits");
	/* The change took it away; our own /proc files and the tasks we make need it. Who lacks our capabilities cannot
	 * trace us. */
	if (prctl(PR_SET_DUMPABLE, 1) < 0)
		return fail_errno("becoming dumpable");
	return 0;
}

int client_become(struct connection *connection)
{
	const struct ucred *peer = &connection->peer;
	AUTO_CLOSE int pidfd = -1;

	(void)setsid(); /* the terminal of the service is nobody's business */
	if (peer->uid == geteuid())
		return 0;
	if (geteuid() != 0)
		return refuse(EPERM, "the service is run by user %u, and serves no other user", geteuid());
	connection->ordinary = true;
	pidfd = open_peer(connection->fd, peer->pid);
	if (pidfd < 0)
		return fail(-pidfd, "the client that connected, process %d, cannot be found", peer->pid);
	TRY(client_find_confinement(connection, pidfd));
	TRY(client_take_bounds(peer->pid, pidfd));
	TRY(leave_service());
	return take_rights(connection->fd, peer);
}
