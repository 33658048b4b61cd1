/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Visits to other network namespaces. setns(2) changes the calling thread only, so a visit costs no process; sockets
 * made meanwhile, /proc/sys/net and /proc/thread-self/net are those of the namespace visited.
 */
#pragma once

struct netns_switch {
	int home; /* descriptor of the namespace to come back to, -1: not away */
};

#define NETNS_UNCHANGED \
	{               \
		-1      \
	}

/* -errno, nothing logged. Visits can be nested. */
int netns_enter(struct netns_switch *entered, int ns_fd);
/* Back home; ends the program if there is no way back: nothing that it does would be right any more. For AUTO(). */
void netns_leave(struct netns_switch *entered);
/* A descriptor of the namespace that the calling thread is in, or -errno. */
int netns_open_own(void);
/* Makes a namespace, owned by the user namespace of the caller; a descriptor or -errno. */
int netns_create(void);
