/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a network namespace may have that is not saved: it is told. A part of the kernel that is not there, as a module
 * that nobody has loaded, has nothing to be saved; an error says just that.
 */
#include "object/net/not-saved.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/fou.h>
#include <linux/genetlink.h>
#include <linux/l2tp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "kern/net/genetlink.h"
#include "kern/net/netlink.h"
#include "kern/net/rtnetlink.h"
#include "object/net/link/link.h"
#include "session/loss.h"

static int count_any(void *arg, const struct nlmsghdr *message)
{
	++*(size_t *)arg;
	return 0;
}

static size_t ask_generic(const char *name, uint8_t command, uint8_t version)
{
	char capacity[GENETLINK_CAPACITY] __attribute__((aligned(8)));
	AUTO(netlink_close) struct netlink *netlink = NULL;
	uint16_t family;
	size_t n = 0;

	if (netlink_open(NETLINK_GENERIC, &netlink) < 0 || genetlink_find_loaded(netlink, name, &family) < 0)
		return 0;
	(void)netlink_ask(netlink, genetlink_begin(capacity, family, command, version, NLM_F_DUMP), count_any, &n);
	return n;
}

static size_t count_l2tp(struct net_view *view)
{
	return ask_generic(L2TP_GENL_NAME, L2TP_CMD_TUNNEL_GET, L2TP_GENL_VERSION);
}

static size_t count_fou(struct net_view *view)
{
	return ask_generic(FOU_GENL_NAME, FOU_CMD_GET, FOU_GENL_VERSION);
}

/* Three lines of headings. */
static size_t count_virtual_servers(struct net_view *view)
{
	char *text = NULL;
	size_t n = 0;

	if (file_read_all(AT_FDCWD, "/proc/thread-self/net/ip_vs", &text, NULL) < 0)
		return 0;
	for (const char *line = text; (line = strchr(line, '\n')); line++)
		n++;
	free(text);
	return n > 3 ? n - 3 : 0;
}

static const struct {
	const char *what;
	size_t (*count)(struct net_view *view);
} kinds[] = {
	{ "tunnels of L2TP (ip l2tp)", count_l2tp },
	{ "ports that receive tunnels (ip fou)", count_fou },
	{ "lines of virtual servers (ipvsadm)", count_virtual_servers },
};

void net_not_saved_report(struct net_view *view)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t n = kinds[i].count(view);

		if (n)
			dump_report_loss(view->d,
					 "network namespace %u: %zu %s are not saved; make them again by an action "
					 "script (post-setup-namespaces)",
					 view->id, n, kinds[i].what);
	}
}
