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

int netns_visit_begin(struct netns_visit *visit, int ns_fd)
{
	int home = netns_open_own();

	visit->home = -1;
	if (home < 0)
		return home;
	if (setns(ns_fd, CLONE_NEWNET) < 0) {
		int error = errno;

		close(home);
		return -error;
	}
	visit->home = home;
	return 0;
}

void netns_visit_end(struct netns_visit *visit)
{
	if (visit->home < 0)
		return;
	if (setns(visit->home, CLONE_NEWNET) < 0) {
		fprintf(stderr, "cannot come back to the own network namespace: %s\n", strerror(errno));
		abort();
	}
	close(visit->home);
	visit->home = -1;
}

int netns_create(void)
{
	struct netns_visit visit = { netns_open_own() };
	int fd;

	if (visit.home < 0)
		return visit.home;
	if (unshare(CLONE_NEWNET) < 0) {
		fd = -errno;
		close(visit.home);
		return fd;
	}
	fd = netns_open_own();
	netns_visit_end(&visit);
	return fd;
}
