/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a network namespace may have that is not saved: it is told. A part of the kernel that is not there, as a module
 * that nobody has loaded, has nothing to be saved; an error says just that.
 */
#include "object/net/not-saved.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/fou.h>
#include <linux/genetlink.h>
#include <linux/if_addrlabel.h>
#include <linux/if_bridge.h>
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

/* --- rtnetlink --- */

static int count_any(void *arg, const struct nlmsghdr *message)
{
	++*(size_t *)arg;
	return 0;
}

/* Those of RFC 3484 and 6724, that the kernel gives each namespace. */
static int count_label(void *arg, const struct nlmsghdr *message)
{
	static const char *const given[] = { "::1/128 0",	    "::/0 1",	   "2002::/16 2", "::/96 3",
					     "::ffff:0.0.0.0/96 4", "fc00::/7 5",  "2001::/32 6", "2001:10::/28 7",
					     "3ffe::/16 12",	    "fec0::/10 11" };
	const struct ifaddrlblmsg *label = mnl_nlmsg_get_payload(message);
	const struct nlattr *parts[IFAL_MAX + 1] = { 0 };
	char address[INET6_ADDRSTRLEN] = "", text[INET6_ADDRSTRLEN + 32];

	rtnetlink_parse(message, sizeof(*label), parts, IFAL_MAX + 1);
	if (parts[IFAL_ADDRESS])
		inet_ntop(AF_INET6, mnl_attr_get_payload(parts[IFAL_ADDRESS]), address, sizeof(address));
	snprintf(text, sizeof(text), "%s/%u %u", address, label->ifal_prefixlen,
		 parts[IFAL_LABEL] ? mnl_attr_get_u32(parts[IFAL_LABEL]) : 0);
	for (size_t i = 0; i < ARRAY_SIZE(given); i++)
		if (!strcmp(given[i], text) && !label->ifal_index)
			return 0;
	++*(size_t *)arg;
	return 0;
}

/* Groups that a user has given to ports of bridges; others come again by themselves. */
static int count_permanent_group(void *arg, const struct nlmsghdr *message)
{
	const struct nlattr *database, *entry, *info;

	mnl_attr_for_each(database, message, sizeof(struct br_port_msg))
	{
		if (mnl_attr_get_type(database) != MDBA_MDB)
			continue;
		mnl_attr_for_each_nested(entry, database) mnl_attr_for_each_nested(info, entry)
		{
			const struct br_mdb_entry *group = mnl_attr_get_payload(info);

			if (mnl_attr_get_payload_len(info) >= sizeof(*group) && group->state & MDB_PERMANENT)
				++*(size_t *)arg;
		}
	}
	return 0;
}

static size_t ask_rtnetlink(struct net_view *view, uint16_t type, const void *header, size_t size,
			    int (*count)(void *arg, const struct nlmsghdr *message))
{
	char capacity[256] __attribute__((aligned(8)));
	struct nlmsghdr *request;
	size_t n;
	int error;

	do {
		n = 0;
		request = rtnetlink_begin(capacity, type, NLM_F_DUMP, header, size);
		request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
		error = netlink_ask(view->netlink, request, count, &n);
	} while (error == -EINTR);
	return n;
}

static size_t count_labels(struct net_view *view)
{
	const struct ifaddrlblmsg header = { .ifal_family = AF_INET6 };

	return ask_rtnetlink(view, RTM_GETADDRLABEL, &header, sizeof(header), count_label);
}

static size_t count_groups(struct net_view *view)
{
	const struct br_port_msg header = { .family = AF_BRIDGE };

	return ask_rtnetlink(view, RTM_GETMDB, &header, sizeof(header), count_permanent_group);
}

/* --- generic netlink and netfilter --- */

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
	{ "labels of IPv6 addresses (ip addrlabel)", count_labels },
	{ "groups given to ports of bridges (bridge mdb)", count_groups },
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
