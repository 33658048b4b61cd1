/* SPDX-License-Identifier: GPL-2.0-only */
/* Multicast groups that were given to ports of bridges (bridge mdb). Others come again by themselves. */
#include "object/net/bridge-group.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "kern/net/netlink.h"
#include "kern/net/rtnetlink.h"
#include "object/net/link/link.h"
#include "session/loss.h"

/* --- dump --- */

static bool has_sources(const struct nlattr *const *parts)
{
	const struct nlattr *list = parts[MDBA_MDB_EATTR_SRC_LIST];

	return list && mnl_attr_get_payload_len(list) > 0;
}

/* What RTM_NEWMDB wants for what RTM_GETMDB has told. */
static void note_group(const struct net_view *view, uint32_t bridge, const struct nlattr *info, NetnsEntry *entry)
{
	char capacity[512] __attribute__((aligned(8)));
	const struct br_port_msg header = { .family = AF_BRIDGE, .ifindex = bridge };
	const struct br_mdb_entry *group = mnl_attr_get_payload(info);
	struct nlmsghdr *request = rtnetlink_begin(capacity, RTM_NEWMDB, 0, &header, sizeof(header));
	const struct nlattr *parts[MDBA_MDB_EATTR_MAX + 1] = { 0 }, *part, *source;
	ProtobufCBinaryData *to = &entry->bridge_groups[entry->n_bridge_groups];
	struct nlattr *nest;

	for (part = (const struct nlattr *)(group + 1);
	     mnl_attr_ok(part, (int)((const char *)info + info->nla_len - (const char *)part));
	     part = mnl_attr_next(part))
		if (mnl_attr_get_type(part) <= MDBA_MDB_EATTR_MAX)
			parts[mnl_attr_get_type(part)] = part;
	if (has_sources(parts))
		dump_report_loss(view->d,
				 "network namespace %u: the sources of a group that was given to a port of a bridge "
				 "(bridge -d mdb)",
				 view->id);
	mnl_attr_put(request, MDBA_SET_ENTRY, sizeof(*group), group);
	source = parts[MDBA_MDB_EATTR_SOURCE];
	if (source) {
		nest = mnl_attr_nest_start(request, MDBA_SET_ENTRY_ATTRS);
		mnl_attr_put(request, MDBE_ATTR_SOURCE, mnl_attr_get_payload_len(source), mnl_attr_get_payload(source));
		mnl_attr_nest_end(request, nest);
	}
	to->len = mnl_nlmsg_get_payload_len(request);
	to->data = pool_copy(view->d->pool, mnl_nlmsg_get_payload(request), to->len);
	entry->n_bridge_groups++;
}

static bool is_given_by_user(const struct nlattr *info)
{
	const struct br_mdb_entry *group = mnl_attr_get_payload(info);

	return mnl_attr_get_payload_len(info) >= sizeof(*group) && group->state & MDB_PERMANENT;
}

/* Without an entry they are only counted. */
static size_t walk_groups(const struct net_view *view, const struct nlmsghdr *message, NetnsEntry *entry)
{
	const struct br_port_msg *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *database, *groups, *info;
	size_t n = 0;

	mnl_attr_for_each(database, message, sizeof(*header))
	{
		if (mnl_attr_get_type(database) != MDBA_MDB)
			continue;
		mnl_attr_for_each_nested(groups, database) mnl_attr_for_each_nested(info, groups)
		{
			if (!is_given_by_user(info))
				continue;
			n++;
			if (entry)
				note_group(view, header->ifindex, info, entry);
		}
	}
	return n;
}

int net_bridge_groups_collect(const struct net_view *view, NetnsEntry *entry)
{
	AUTO(buffer_done) struct buffer messages = { 0 };
	const struct br_port_msg header = { .family = AF_BRIDGE };
	const struct nlmsghdr *message;
	size_t n = 0;
	int error = rtnetlink_dump(view->netlink, RTM_GETMDB, &header, sizeof(header), NULL, &messages);

	if (error < 0) /* without bridges */
		return 0;
	rtnetlink_for_each(message, messages.data, messages.size) n += walk_groups(view, message, NULL);
	entry->bridge_groups = pool_array(view->d->pool, ProtobufCBinaryData, n);
	rtnetlink_for_each(message, messages.data, messages.size) walk_groups(view, message, entry);
	return 0;
}

/* --- restore --- */

int net_bridge_groups_check(const NetnsEntry *entry)
{
	for (size_t i = 0; i < entry->n_bridge_groups; i++)
		if (!rtnetlink_payload_is_sound(entry->bridge_groups[i].data, entry->bridge_groups[i].len,
						sizeof(struct br_port_msg)))
			return refuse(EINVAL, "netns image: group %zu of a bridge makes no sense", i);
	return 0;
}

int net_bridge_groups_restore(struct netlink *netlink, const NetnsEntry *entry)
{
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8))), name[IF_NAMESIZE] = "?";

	for (size_t i = 0; i < entry->n_bridge_groups; i++) {
		const ProtobufCBinaryData *saved = &entry->bridge_groups[i];
		int error = rtnetlink_tell(netlink, rtnetlink_begin(capacity, RTM_NEWMDB, NLM_F_CREATE | NLM_F_EXCL,
								    saved->data, saved->len));

		if (error >= 0 || error == -EEXIST)
			continue;
		/* Its port, or the bridge itself, may be switched off. */
		(void)if_indextoname(((const struct br_port_msg *)(const void *)saved->data)->ifindex, name);
		log_warn("A multicast group of the bridge %s is lost (bridge mdb): %s", name, strerror(-error));
	}
	return 0;
}
