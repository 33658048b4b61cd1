/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bonds: several devices that look like one. Which settings there are depends on the mode, and the kernel refuses the
 * others even with the value that they have: so only what differs in the new device is set, one by one.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/pool.h"
#include "kern/net/netlink.h"
#include "object/net/link/link-restore.h"
#include "object/net/link/link.h"

#define IFLA_BOND_AD_LACP_ACTIVE_  29 /* Linux 5.16 */
#define IFLA_BOND_MISSED_MAX_	   30 /* Linux 5.17 */
#define IFLA_BOND_NS_IP6_TARGET_   31 /* Linux 5.18 */
#define IFLA_BOND_COUPLED_CONTROL_ 32 /* Linux 6.9 */
#define IFLA_BOND_SLAVE_PRIO_	   9  /* Linux 6.0 */

/* In the order in which they can be set. Which port is active is the bond's own choice. */
static const uint16_t settings[] = { IFLA_BOND_MODE,
				     IFLA_BOND_FAIL_OVER_MAC,
				     IFLA_BOND_MIIMON,
				     IFLA_BOND_UPDELAY,
				     IFLA_BOND_DOWNDELAY,
				     IFLA_BOND_PEER_NOTIF_DELAY,
				     IFLA_BOND_USE_CARRIER,
				     IFLA_BOND_ARP_INTERVAL,
				     IFLA_BOND_ARP_IP_TARGET,
				     IFLA_BOND_NS_IP6_TARGET_,
				     IFLA_BOND_ARP_VALIDATE,
				     IFLA_BOND_ARP_ALL_TARGETS,
				     IFLA_BOND_MISSED_MAX_,
				     IFLA_BOND_PRIMARY_RESELECT,
				     IFLA_BOND_XMIT_HASH_POLICY,
				     IFLA_BOND_RESEND_IGMP,
				     IFLA_BOND_NUM_PEER_NOTIF,
				     IFLA_BOND_ALL_SLAVES_ACTIVE,
				     IFLA_BOND_MIN_LINKS,
				     IFLA_BOND_LP_INTERVAL,
				     IFLA_BOND_PACKETS_PER_SLAVE,
				     IFLA_BOND_TLB_DYNAMIC_LB,
				     IFLA_BOND_AD_LACP_ACTIVE_,
				     IFLA_BOND_AD_LACP_RATE,
				     IFLA_BOND_AD_SELECT,
				     IFLA_BOND_AD_ACTOR_SYS_PRIO,
				     IFLA_BOND_AD_USER_PORT_KEY,
				     IFLA_BOND_AD_ACTOR_SYSTEM,
				     IFLA_BOND_COUPLED_CONTROL_,
				     IFLA_BOND_PRIMARY, /* a port: not before it is one */
				     0 };

const uint16_t link_bond_port_settings[] = { IFLA_BOND_SLAVE_QUEUE_ID, IFLA_BOND_SLAVE_PRIO_, 0 };

static bool is_bond(const struct net_link *link)
{
	return link->kind && !strcmp(link->kind, "bond");
}

static bool claims_bond(const NetDeviceEntry *entry)
{
	return entry->kind && !strcmp(entry->kind, "bond");
}

static int dump_bond(struct net_view *view, const struct net_link *link, NetDeviceEntry *entry)
{
	entry->kind = pool_string(view->d->pool, link->kind);
	link_keep_attributes(view->d->pool, link->data, settings, &entry->has_data, &entry->data);
	return 0;
}

static int check_bond(const struct restore *r, const NetDeviceEntry *entry)
{
	if (!link_attributes_are_sound(&entry->data, settings) || !link_kept_attribute(&entry->data, IFLA_BOND_MODE))
		return refuse(EINVAL, "its settings make no sense");
	return 0;
}

/* One setting, as in a record. */
static void put_setting(struct nlmsghdr *request, const struct nlattr *setting)
{
	const ProtobufCBinaryData one = { setting->nla_len, (uint8_t *)setting };

	link_put_info(request, "bond", &one);
}

static bool is_same(const struct nlattr *a, const struct nlattr *b)
{
	return a && b && a->nla_len == b->nla_len &&
	       !memcmp(mnl_attr_get_payload(a), mnl_attr_get_payload(b), mnl_attr_get_payload_len(a));
}

static int set_one(struct net_fill *fill, const NetDeviceEntry *entry, const struct nlattr *setting)
{
	const struct ifinfomsg header = { .ifi_family = AF_UNSPEC, .ifi_index = (int)entry->ifindex };
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	struct nlmsghdr *request = rtnetlink_begin(capacity, RTM_NEWLINK, 0, &header, sizeof(header));
	int error;

	put_setting(request, setting);
	error = rtnetlink_tell(fill->netlink, request);
	return error < 0 ? fail(-error, "setting IFLA_BOND_* %d of the bond", mnl_attr_get_type(setting)) : 0;
}

static int set_those_that_differ(struct net_fill *fill, const NetDeviceEntry *entry, const struct net_link *now)
{
	const struct nlattr *parts[RTNETLINK_ATTRIBUTES] = { 0 };

	rtnetlink_parse_nested(now->data, parts, RTNETLINK_ATTRIBUTES);
	for (size_t i = 0; settings[i]; i++) {
		const struct nlattr *setting = link_kept_attribute(&entry->data, settings[i]);

		if (setting && settings[i] != IFLA_BOND_PRIMARY && !is_same(setting, parts[settings[i]]))
			TRY(set_one(fill, entry, setting));
	}
	return 0;
}

static int set_now(struct net_fill *fill, const NetDeviceEntry *entry)
{
	struct net_links links = { 0 };
	int error = rtnetlink_links(fill->netlink, fill->r->pool, &links);

	if (error < 0)
		error = fail(-error, "asking for the network devices");
	for (size_t i = 0; i < links.n && error >= 0; i++)
		if (links.items[i].index == (int)entry->ifindex)
			error = set_those_that_differ(fill, entry, &links.items[i]);
	vector_done(&links);
	return error;
}

static int make_bond(struct net_fill *fill, const NetDeviceEntry *entry)
{
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	struct nlmsghdr *request = link_begin(capacity, entry);

	put_setting(request, link_kept_attribute(&entry->data, IFLA_BOND_MODE));
	TRY(link_tell(fill, entry, request));
	return set_now(fill, entry);
}

static int finish_bond(struct net_fill *fill, const NetDeviceEntry *entry)
{
	const struct nlattr *primary = link_kept_attribute(&entry->data, IFLA_BOND_PRIMARY);

	return primary ? set_one(fill, entry, primary) : 0;
}

const struct link_kind link_bond_kind = {
	.name = "bond",
	.type = ND_TYPE__EXTLINK,
	.is = is_bond,
	.claims = claims_bond,
	.dump = dump_bond,
	.check = check_bond,
	.make = make_bond,
	.finish = finish_bond,
};
