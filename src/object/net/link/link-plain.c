/* SPDX-License-Identifier: GPL-2.0-only */
/* Devices that are made of what the kernel tells of them. The format knows none of these kinds: for others they are
 * EXTLINK. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_tunnel.h>
#include <linux/if_vlan.h>
#include <string.h>

#include "base/array.h"
#include "base/fail.h"
#include "base/pool.h"
#include "object/net/link/link-restore.h"
#include "object/net/link/link.h"

#define IFLA_VXLAN_LOCALBYPASS_ 31 /* Linux 6.5 */

static const uint16_t none[] = { 0 };
static const uint16_t vlan[] = { IFLA_VLAN_ID,		IFLA_VLAN_FLAGS,    IFLA_VLAN_EGRESS_QOS,
				 IFLA_VLAN_INGRESS_QOS, IFLA_VLAN_PROTOCOL, 0 };
static const uint16_t ipvlan[] = { IFLA_IPVLAN_MODE, IFLA_IPVLAN_FLAGS, 0 };
static const uint16_t vrf[] = { IFLA_VRF_TABLE, 0 };
static const uint16_t vxlan[] = { IFLA_VXLAN_ID,
				  IFLA_VXLAN_GROUP,
				  IFLA_VXLAN_LINK,
				  IFLA_VXLAN_LOCAL,
				  IFLA_VXLAN_TTL,
				  IFLA_VXLAN_TOS,
				  IFLA_VXLAN_LEARNING,
				  IFLA_VXLAN_AGEING,
				  IFLA_VXLAN_LIMIT,
				  IFLA_VXLAN_PORT_RANGE,
				  IFLA_VXLAN_PROXY,
				  IFLA_VXLAN_RSC,
				  IFLA_VXLAN_L2MISS,
				  IFLA_VXLAN_L3MISS,
				  IFLA_VXLAN_PORT,
				  IFLA_VXLAN_GROUP6,
				  IFLA_VXLAN_LOCAL6,
				  IFLA_VXLAN_UDP_CSUM,
				  IFLA_VXLAN_UDP_ZERO_CSUM6_TX,
				  IFLA_VXLAN_UDP_ZERO_CSUM6_RX,
				  IFLA_VXLAN_REMCSUM_TX,
				  IFLA_VXLAN_REMCSUM_RX,
				  IFLA_VXLAN_GBP,
				  IFLA_VXLAN_REMCSUM_NOPARTIAL,
				  IFLA_VXLAN_COLLECT_METADATA,
				  IFLA_VXLAN_LABEL,
				  IFLA_VXLAN_GPE,
				  IFLA_VXLAN_TTL_INHERIT,
				  IFLA_VXLAN_DF,
				  IFLA_VXLAN_LOCALBYPASS_,
				  0 };
static const uint16_t geneve[] = { IFLA_GENEVE_ID,
				   IFLA_GENEVE_REMOTE,
				   IFLA_GENEVE_TTL,
				   IFLA_GENEVE_TOS,
				   IFLA_GENEVE_PORT,
				   IFLA_GENEVE_COLLECT_METADATA,
				   IFLA_GENEVE_REMOTE6,
				   IFLA_GENEVE_UDP_CSUM,
				   IFLA_GENEVE_UDP_ZERO_CSUM6_TX,
				   IFLA_GENEVE_UDP_ZERO_CSUM6_RX,
				   IFLA_GENEVE_LABEL,
				   IFLA_GENEVE_TTL_INHERIT,
				   IFLA_GENEVE_DF,
				   IFLA_GENEVE_INNER_PROTO_INHERIT,
				   0 };
static const uint16_t gre[] = { IFLA_GRE_LINK,	      IFLA_GRE_IFLAGS,	    IFLA_GRE_OFLAGS,
				IFLA_GRE_IKEY,	      IFLA_GRE_OKEY,	    IFLA_GRE_LOCAL,
				IFLA_GRE_REMOTE,      IFLA_GRE_TTL,	    IFLA_GRE_TOS,
				IFLA_GRE_PMTUDISC,    IFLA_GRE_ENCAP_LIMIT, IFLA_GRE_FLOWINFO,
				IFLA_GRE_FLAGS,	      IFLA_GRE_ENCAP_TYPE,  IFLA_GRE_ENCAP_FLAGS,
				IFLA_GRE_ENCAP_SPORT, IFLA_GRE_ENCAP_DPORT, IFLA_GRE_COLLECT_METADATA,
				IFLA_GRE_IGNORE_DF,   IFLA_GRE_FWMARK,	    0 };
static const uint16_t iptun[] = { IFLA_IPTUN_LINK,
				  IFLA_IPTUN_LOCAL,
				  IFLA_IPTUN_REMOTE,
				  IFLA_IPTUN_TTL,
				  IFLA_IPTUN_TOS,
				  IFLA_IPTUN_ENCAP_LIMIT,
				  IFLA_IPTUN_FLOWINFO,
				  IFLA_IPTUN_FLAGS,
				  IFLA_IPTUN_PROTO,
				  IFLA_IPTUN_PMTUDISC,
				  IFLA_IPTUN_6RD_PREFIX,
				  IFLA_IPTUN_6RD_RELAY_PREFIX,
				  IFLA_IPTUN_6RD_PREFIXLEN,
				  IFLA_IPTUN_6RD_RELAY_PREFIXLEN,
				  IFLA_IPTUN_ENCAP_TYPE,
				  IFLA_IPTUN_ENCAP_FLAGS,
				  IFLA_IPTUN_ENCAP_SPORT,
				  IFLA_IPTUN_ENCAP_DPORT,
				  IFLA_IPTUN_COLLECT_METADATA,
				  IFLA_IPTUN_FWMARK,
				  0 };
static const uint16_t vti[] = {
	IFLA_VTI_LINK, IFLA_VTI_IKEY, IFLA_VTI_OKEY, IFLA_VTI_LOCAL, IFLA_VTI_REMOTE, IFLA_VTI_FWMARK, 0
};
static const uint16_t xfrm[] = { IFLA_XFRM_LINK, IFLA_XFRM_IF_ID, IFLA_XFRM_COLLECT_METADATA, 0 };

static const struct plain {
	const char *kind;
	const uint16_t *data; /* attributes of IFLA_INFO_DATA, all of which can be set */
	bool stands;	      /* on another device (IFLA_LINK) */
	uint16_t below;	      /* the attribute of data that may name a device below it */
} plains[] = {
	{ "dummy", none, false, 0 },
	{ "ifb", none, false, 0 },
	{ "nlmon", none, false, 0 },
	{ "vlan", vlan, true, 0 },
	{ "ipvlan", ipvlan, true, 0 },
	{ "vrf", vrf, false, 0 },
	{ "vxlan", vxlan, false, IFLA_VXLAN_LINK },
	{ "geneve", geneve, false, 0 },
	{ "gre", gre, false, IFLA_GRE_LINK },
	{ "gretap", gre, false, IFLA_GRE_LINK },
	{ "ip6gre", gre, false, IFLA_GRE_LINK },
	{ "ip6gretap", gre, false, IFLA_GRE_LINK },
	{ "ipip", iptun, false, IFLA_IPTUN_LINK },
	{ "sit", iptun, false, IFLA_IPTUN_LINK },
	{ "ip6tnl", iptun, false, IFLA_IPTUN_LINK },
	{ "vti", vti, false, IFLA_VTI_LINK },
	{ "vti6", vti, false, IFLA_VTI_LINK },
	{ "xfrm", xfrm, false, IFLA_XFRM_LINK },
};

static const struct plain *find_plain(const char *kind)
{
	for (size_t i = 0; kind && i < ARRAY_SIZE(plains); i++)
		if (!strcmp(plains[i].kind, kind))
			return &plains[i];
	return NULL;
}

static bool is_plain(const struct net_link *link)
{
	return find_plain(link->kind);
}

static bool claims_plain(const NetDeviceEntry *entry)
{
	return find_plain(entry->kind);
}

/* A list of networks that is asked for by other means. */
static int check_filter(const struct net_link *link)
{
	const struct nlattr *parts[RTNETLINK_ATTRIBUTES] = { 0 };

	if (strcmp(link->kind, "vxlan") != 0)
		return 0;
	rtnetlink_parse_nested(link->data, parts, RTNETLINK_ATTRIBUTES);
	if (parts[IFLA_VXLAN_VNIFILTER] && mnl_attr_get_u8(parts[IFLA_VXLAN_VNIFILTER]))
		return refuse(EOPNOTSUPP,
			      "network device %s (vxlan) filters by numbers of networks (vnifilter): that cannot be "
			      "saved yet",
			      link->name);
	return 0;
}

/*
 * The kernel tells a number whether it is set or not. It wants an attribute only if it is: vxlan one without content,
 * geneve takes any for an answer and forgets the TTL.
 */
static void keep_if_set(ProtobufCBinaryData *data, uint16_t number, bool content)
{
	struct nlattr *told = (struct nlattr *)link_kept_attribute(data, number);
	size_t size, left;
	uint8_t *rest;

	if (!told || told->nla_len <= MNL_ATTR_HDRLEN)
		return;
	rest = (uint8_t *)told + MNL_ALIGN(told->nla_len);
	left = (size_t)(data->data + data->len - rest);
	size = !mnl_attr_get_u8(told) ? 0 : content ? MNL_ALIGN(told->nla_len) : MNL_ATTR_HDRLEN;
	if (size == MNL_ATTR_HDRLEN)
		told->nla_len = MNL_ATTR_HDRLEN;
	memmove((uint8_t *)told + size, rest, left);
	data->len = (size_t)((uint8_t *)told - data->data) + size + left;
}

/* The kernel tells a mask of all bits, and refuses those that it does not know. */
static void narrow_vlan_mask(ProtobufCBinaryData *data)
{
	const struct nlattr *told = link_kept_attribute(data, IFLA_VLAN_FLAGS);
	struct ifla_vlan_flags flags;

	if (!told || mnl_attr_get_payload_len(told) != sizeof(flags))
		return;
	memcpy(&flags, mnl_attr_get_payload(told), sizeof(flags));
	flags.mask = flags.flags | VLAN_FLAG_REORDER_HDR;
	memcpy(mnl_attr_get_payload(told), &flags, sizeof(flags));
}

static int dump_plain(struct net_view *view, const struct net_link *link, NetDeviceEntry *entry)
{
	const struct plain *plain = find_plain(link->kind);

	entry->kind = pool_string(view->d->pool, link->kind);
	if (!entry->has_peer_nsid || entry->peer_nsid != view->id)
		return refuse(EOPNOTSUPP,
			      "network device %s (%s) stands on a device of another namespace, or sends by way of it: "
			      "that cannot be saved yet",
			      link->name, link->kind);
	TRY(check_filter(link));
	link_keep_attributes(view->d->pool, link->data, plain->data, &entry->has_data, &entry->data);
	if (!strcmp(link->kind, "vlan"))
		narrow_vlan_mask(&entry->data);
	if (!strcmp(link->kind, "vxlan"))
		keep_if_set(&entry->data, IFLA_VXLAN_TTL_INHERIT, false);
	if (!strcmp(link->kind, "geneve"))
		keep_if_set(&entry->data, IFLA_GENEVE_TTL_INHERIT, true);
	return 0;
}

static int check_plain(const struct restore *r, const NetDeviceEntry *entry)
{
	if (entry->has_data && !link_attributes_are_sound(&entry->data, find_plain(entry->kind)->data))
		return refuse(EINVAL, "its settings make no sense");
	return 0;
}

/* The data was checked at load. */
static bool is_below_there(struct net_fill *fill, const NetDeviceEntry *entry, uint16_t number)
{
	const struct nlattr *below = link_kept_attribute(&entry->data, number);

	return !below || mnl_attr_get_payload_len(below) != sizeof(uint32_t) || !mnl_attr_get_u32(below) ||
	       link_is_there(fill, mnl_attr_get_u32(below));
}

static int make_plain(struct net_fill *fill, const NetDeviceEntry *entry)
{
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	struct nlmsghdr *request = link_begin(capacity, entry);
	const struct plain *plain = find_plain(entry->kind);

	if (!is_below_there(fill, entry, plain->below))
		return -ENODEV;
	if (plain->stands) {
		if (!link_is_there(fill, entry->peer_ifindex))
			return -ENODEV;
		mnl_attr_put_u32(request, IFLA_LINK, entry->peer_ifindex);
	}
	link_put_info(request, entry->kind, &entry->data);
	return link_tell(fill, entry, request);
}

const struct link_kind link_plain_kind = {
	.name = "plain device",
	.type = ND_TYPE__EXTLINK,
	.is = is_plain,
	.claims = claims_plain,
	.dump = dump_plain,
	.check = check_plain,
	.make = make_plain,
};
