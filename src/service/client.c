/* SPDX-License-Identifier: GPL-2.0-only */
/* Who the client is, by the credentials of its socket, and acting in its name. */
#include "service/internal.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/pool.h"

int client_identify(int fd, struct ucred *ret)
{
	socklen_t size = sizeof(*ret), type_size = sizeof(int);
	int type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) < 0)
		return fail_errno("descriptor %d is no socket of a client", fd);
	if (type != SOCK_SEQPACKET)
		return refuse(ESOCKTNOSUPPORT, "descriptor %d: the socket of a client must be of the type SOCK_SEQPACKET", fd);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret, &size) < 0)
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

/*
 * Without CAP_SYS_PTRACE and CAP_DAC_OVERRIDE the kernel itself sees to it that only tasks and files are touched that the client could
 * touch; without CAP_SETUID that none is restored with more rights. CAP_SYS_ADMIN is needed to suspend seccomp filters and
 * CAP_SYS_RESOURCE for the borders of an address space; a task that is restored keeps none of them (credentials.c).
 */
static int keep_capabilities(void)
{
	static const unsigned kept[] = { CAP_CHECKPOINT_RESTORE, CAP_SYS_ADMIN, CAP_SYS_RESOURCE, CAP_NET_ADMIN };
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct had[_LINUX_CAPABILITY_U32S_3], data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, had) < 0)
		return fail_errno("asking for our capabilities");
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		data[CAP_TO_INDEX(kept[i])].permitted |= CAP_TO_MASK(kept[i]);
	for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		data[i].effective = data[i].permitted &= had[i].permitted;
	if (syscall(SYS_capset, &header, data) < 0)
		return fail_errno("giving up capabilities");
	return 0;
}

int client_become(int fd, const struct ucred *peer)
{
	if (peer->uid == geteuid())
		return 0;
	TRY(take_groups(fd, peer->gid));
	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setresgid(peer->gid, peer->gid, peer->gid) < 0 ||
	    setresuid(peer->uid, peer->uid, peer->uid) < 0)
		return fail_errno("taking the rights of the client, user %u", peer->uid);
	TRY(keep_capabilities());
	/* The change took it away; our own /proc files and the tasks we make need it. */
	if (prctl(PR_SET_DUMPABLE, 1) < 0)
		return fail_errno("becoming dumpable");
	return 0;
}
