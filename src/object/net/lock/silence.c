/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * No answers from a network namespace that dies with its tasks. The kernel takes away the hooks of netfilter first, and
 * with them the network lock, waits, and only then takes the devices: what comes in meanwhile finds no socket and is
 * answered with a reset, which ends connections that are in the checkpoint. Rules of routing last longer than devices,
 * but must not be left in a namespace that somebody keeps. Whether anybody does only the kernel's own counters tell.
 */
#include "object/net/lock/silence.h"

#include <dirent.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/sockios.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/table.h"
#include "kern/net/netlink.h"
#include "kern/net/netns.h"
#include "kern/net/rtnetlink.h"
#include "session/kernel-view.h"
#include "session/session.h"

/* Sockets of dead tasks keep a namespace until an RCU period is over. */
#define PATIENCE_MS 200
#define PAUSE_MS    2

struct counters {
	int names; /* descriptors and mounts */
	int users; /* tasks, sockets, and one for all names together */
};

static bool read_counters(struct kernel_view *view, int ns_fd, struct counters *ret)
{
	uint64_t path = kernel_view_place(view, kernel_view_file(view, ns_fd), "file", "f_path");
	uint64_t dentry = 0, inode = 0, ns = 0;

	return kernel_view_read(view, path, "path", "dentry", &dentry, sizeof(dentry)) &&
	       kernel_view_read(view, kernel_view_place(view, dentry, "dentry", "d_lockref"), "lockref", "count",
				&ret->names, sizeof(ret->names)) &&
	       kernel_view_read(view, dentry, "dentry", "d_inode", &inode, sizeof(inode)) &&
	       kernel_view_read(view, inode, "inode", "i_private", &ns, sizeof(ns)) &&
	       (kernel_view_read(view, ns, "ns_common", "__ns_ref", &ret->users, sizeof(ret->users)) || /* Linux 6.18 */
		kernel_view_read(view, ns, "ns_common", "count", &ret->users, sizeof(ret->users)));
}

/* Our netlink sockets, and those of the tree that we still have a copy of. */
static bool is_socket_of(int fd, ino_t ns)
{
	AUTO_CLOSE int of = ioctl(fd, SIOCGSKNS);
	struct stat st;

	return of >= 0 && fstat(of, &st) == 0 && st.st_ino == ns;
}

/* What we have ourselves, and will let go of. */
static bool count_own(int ns_fd, struct counters *ret)
{
	AUTO_CLOSEDIR DIR *dir = opendir("/proc/self/fd");
	struct table *seen = table_create();
	const struct dirent *entry;
	struct stat ns, st;
	bool ok = dir && fstat(ns_fd, &ns) == 0;

	*ret = (struct counters){ 0, 1 };
	while (ok && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] == '.' || fstat(fd, &st) < 0)
			continue;
		ret->names += st.st_dev == ns.st_dev && st.st_ino == ns.st_ino;
		if (S_ISSOCK(st.st_mode) && !table_find(seen, st.st_ino) && is_socket_of(fd, ns.st_ino))
			ret->users += !table_set(seen, st.st_ino, seen);
	}
	table_destroy(&seen);
	return ok;
}

static bool is_ours_alone(const struct dump *d, int ns_fd)
{
	const char *why;
	struct kernel_view *view = kernel_view_get(d, &why);
	struct counters own, all;

	if (!view)
		log_info("The kernel's memory cannot be read (%s): no network namespace can be silenced, it may send "
			 "resets while it dies",
			 why);
	if (!view || !count_own(ns_fd, &own))
		return false;
	for (unsigned ms = 0; ms < PATIENCE_MS; ms += PAUSE_MS) {
		if (!read_counters(view, ns_fd, &all) || all.names > own.names)
			return false;
		if (all.users <= own.users)
			return true;
		usleep(PAUSE_MS * 1000);
	}
	return false;
}

static void stop_answers(int family)
{
	const struct fib_rule_hdr header = { .family = (uint8_t)family, .action = FR_ACT_BLACKHOLE };
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	AUTO(netlink_close) struct netlink *netlink = NULL;
	struct nlmsghdr *request =
		rtnetlink_begin(capacity, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));

	mnl_attr_put_u32(request, FRA_PRIORITY, 0);
	if (netlink_open(NETLINK_ROUTE, &netlink) < 0 || rtnetlink_tell(netlink, request) < 0)
		log_info("Resets may go out of a network namespace that dies");
}

void network_silence(const struct dump *d, int ns_fd)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;

	if (!is_ours_alone(d, ns_fd) || netns_enter(&entered, ns_fd) < 0)
		return;
	stop_answers(AF_INET);
	stop_answers(AF_INET6);
	log_info("A network namespace that nobody else keeps is silent from now on");
}
