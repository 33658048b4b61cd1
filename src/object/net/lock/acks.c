/* SPDX-License-Identifier: GPL-2.0-only */
/* Waits for acknowledgements. */
#include "object/net/lock/acks.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/grace.h"
#include "kern/net/netlink.h"
#include "kern/net/sockdiag-inet.h"

#define PAUSE_MS 5

/* The table of all connections is long, and few have any of these: "MPTCPv6 SIZE SOCKETS ...". */
static bool is_used(void)
{
	char text[16384];
	unsigned n;

	if (file_read_text(AT_FDCWD, "/proc/thread-self/net/protocols", text, sizeof(text)) < 0)
		return true;
	for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (sscanf(line, "MPTCP%*[v6 ] %*u %u", &n) == 1 && n)
			return true;
	return false;
}

void network_await_acks(void)
{
	AUTO(netlink_close) struct netlink *netlink = NULL;

	if (!is_used() || netlink_open(NETLINK_SOCK_DIAG, &netlink) < 0)
		return;
	for (unsigned ms = 0; ms < GRACE_ACKS_MS && sockdiag_is_under_way(netlink); ms += PAUSE_MS)
		usleep(PAUSE_MS * 1000);
}
