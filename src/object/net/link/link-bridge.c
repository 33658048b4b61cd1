/* SPDX-License-Identifier: GPL-2.0-only */
/* Bridges, and what their ports are set to. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/neighbour.h>

#include "base/auto.h"
#include "base/fail.h"
#include "kern/net/netlink.h"
#include "object/net/link/link-restore.h"
#include "object/net/link/link.h"

/* What can be set; the rest is state. */
static const uint16_t settings[] = { IFLA_BR_FORWARD_DELAY,
				     IFLA_BR_HELLO_TIME,
				     IFLA_BR_MAX_AGE,
				     IFLA_BR_AGEING_TIME,
				     IFLA_BR_STP_STATE,
				     IFLA_BR_PRIORITY,
				     IFLA_BR_VLAN_PROTOCOL,
				     IFLA_BR_GROUP_FWD_MASK,
				     IFLA_BR_MCAST_ROUTER,
				     IFLA_BR_MCAST_SNOOPING,
				     IFLA_BR_MCAST_QUERY_USE_IFADDR,
				     IFLA_BR_MCAST_QUERIER,
				     IFLA_BR_MCAST_HASH_MAX,
				     IFLA_BR_MCAST_LAST_MEMBER_CNT,
				     IFLA_BR_MCAST_STARTUP_QUERY_CNT,
				     IFLA_BR_MCAST_LAST_MEMBER_INTVL,
				     IFLA_BR_MCAST_MEMBERSHIP_INTVL,
				     IFLA_BR_MCAST_QUERIER_INTVL,
				     IFLA_BR_MCAST_QUERY_INTVL,
				     IFLA_BR_MCAST_QUERY_RESPONSE_INTVL,
				     IFLA_BR_MCAST_STARTUP_QUERY_INTVL,
				     IFLA_BR_NF_CALL_IPTABLES,
				     IFLA_BR_NF_CALL_IP6TABLES,
				     IFLA_BR_NF_CALL_ARPTABLES,
				     IFLA_BR_VLAN_DEFAULT_PVID,
				     IFLA_BR_VLAN_STATS_ENABLED,
				     IFLA_BR_MCAST_STATS_ENABLED,
				     IFLA_BR_MCAST_IGMP_VERSION,
				     IFLA_BR_MCAST_MLD_VERSION,
				     IFLA_BR_VLAN_STATS_PER_PORT,
				     IFLA_BR_MULTI_BOOLOPT,
				     0 };

/* Only those that are on: to switch one off that is off is refused for some. */
static void keep_switches(ProtobufCBinaryData *data)
{
	size_t at = 0;

	while (at < data->len) {
		struct nlattr *attribute = (struct nlattr *)(data->data + at);
		struct br_boolopt_multi *switches = mnl_attr_get_payload(attribute);

		if (mnl_attr_get_type(attribute) == IFLA_BR_MULTI_BOOLOPT &&
		    mnl_attr_get_payload_len(attribute) >= sizeof(*switches))
			switches->optmask = switches->optval;
		at += MNL_ALIGN(attribute->nla_len);
	}
}

const uint16_t link_port_settings[] = { IFLA_BRPORT_PRIORITY,
					IFLA_BRPORT_COST,
					IFLA_BRPORT_MODE,
					IFLA_BRPORT_GUARD,
					IFLA_BRPORT_PROTECT,
					IFLA_BRPORT_FAST_LEAVE,
					IFLA_BRPORT_LEARNING,
					IFLA_BRPORT_UNICAST_FLOOD,
					IFLA_BRPORT_PROXYARP,
					IFLA_BRPORT_PROXYARP_WIFI,
					IFLA_BRPORT_MULTICAST_ROUTER,
					IFLA_BRPORT_MCAST_FLOOD,
					IFLA_BRPORT_MCAST_TO_UCAST,
					IFLA_BRPORT_BCAST_FLOOD,
					IFLA_BRPORT_GROUP_FWD_MASK,
					IFLA_BRPORT_NEIGH_SUPPRESS,
					IFLA_BRPORT_ISOLATED,
					IFLA_BRPORT_LOCKED,
					0 };

static int dump_bridge(struct net_view *view, const struct net_link *link, NetDeviceEntry *entry)
{
	const struct nlattr *data[RTNETLINK_ATTRIBUTES] = { 0 };

	rtnetlink_parse_nested(link->data, data, RTNETLINK_ATTRIBUTES);
	if (data[IFLA_BR_VLAN_FILTERING] && mnl_attr_get_u8(data[IFLA_BR_VLAN_FILTERING]))
		return refuse(EOPNOTSUPP, "bridge %s filters VLANs: which ones its ports take cannot be saved yet",
			      link->name);
	link_keep_attributes(view->d->pool, link->data, settings, &entry->has_data, &entry->data);
	keep_switches(&entry->data);
	return 0;
}

static int check_bridge(const struct restore *r, const NetDeviceEntry *entry)
{
	if (entry->has_data && !link_attributes_are_sound(&entry->data, settings))
		return refuse(EINVAL, "its settings make no sense");
	return 0;
}

static int make_bridge(struct net_fill *fill, const NetDeviceEntry *entry)
{
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	struct nlmsghdr *request = link_begin(capacity, entry);

	link_put_info(request, "bridge", &entry->data);
	return link_tell(fill, entry, request);
}

const struct link_kind link_bridge_kind = {
	.name = "bridge",
	.kind = "bridge",
	.type = ND_TYPE__BRIDGE,
	.dump = dump_bridge,
	.check = check_bridge,
	.make = make_bridge,
};
