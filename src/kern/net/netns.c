/* SPDX-License-Identifier: LGPL-2.1-only */
/* Visits to other network namespaces, by setns(2). */
#include "kern/net/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int netns_open_own(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int netns_enter(struct netns_switch *entered, int ns_fd)
{
	int home = netns_open_own();

	entered->home = -1;
	if (home < 0)
		return home;
	if (setns(ns_fd, CLONE_NEWNET) < 0) {
		int error = errno;

		close(home);
		return -error;
	}
	entered->home = home;
	return 0;
}

void netns_leave(struct netns_switch *entered)
{
	if (entered->home < 0)
		return;
	if (setns(entered->home, CLONE_NEWNET) < 0) {
		fprintf(stderr, "cannot come back to the own network namespace: %s\n", strerror(errno));
		abort();
	}
	close(entered->home);
	entered->home = -1;
}

int netns_create(void)
{
	struct netns_switch entered = { netns_open_own() };
	int fd;

	if (entered.home < 0)
		return entered.home;
	if (unshare(CLONE_NEWNET) < 0) {
		fd = -errno;
		close(entered.home);
		return fd;
	}
	fd = netns_open_own();
	netns_leave(&entered);
	return fd;
}
