/* SPDX-License-Identifier: GPL-2.0-only */
/* Network devices: what all kinds share when they are dumped. */
#include "object/net/link/link.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <net/if_arp.h>
#include <net/if.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/text.h"
#include "kern/net/netlink.h"
#include "object/namespace/namespace.h"
#include "object/net/features.h"
#include "object/net/settings.h"
#include "object/net/space.h"
#include "object/net/switch.h"
#include "options/options.h"
#include "plugin/plugin.h"
#include "session/given.h"
#include "session/survey.h"

const char *link_external(const struct options *options, const char *word, const char *name)
{
	return given_external(options, word, name);
}

static bool has_number(const uint16_t *numbers, uint16_t number)
{
	for (; *numbers; numbers++)
		if (*numbers == number)
			return true;
	return false;
}

void link_keep_attributes(struct pool *pool, const struct nlattr *nest, const uint16_t *numbers,
			  protobuf_c_boolean *has, ProtobufCBinaryData *to)
{
	AUTO(buffer_done) struct buffer kept = { 0 };
	const struct nlattr *attribute;

	if (!nest)
		return;
	mnl_attr_for_each_nested(attribute, nest) if (has_number(numbers, mnl_attr_get_type(attribute)))
		memcpy(buffer_extend(&kept, MNL_ALIGN(attribute->nla_len)), attribute, attribute->nla_len);
	*has = kept.size != 0;
	to->len = kept.size;
	to->data = pool_copy(pool, kept.data, kept.size);
}

const struct nlattr *link_kept_attribute(const ProtobufCBinaryData *data, uint16_t number)
{
	size_t at = 0;

	while (number && at < data->len) {
		const struct nlattr *attribute = (const struct nlattr *)(data->data + at);

		if (mnl_attr_get_type(attribute) == number)
			return attribute;
		at += MNL_ALIGN(attribute->nla_len);
	}
	return NULL;
}

/* --- dump --- */

static uint32_t number_of(const struct net_link *link, int attribute)
{
	return link->attribute[attribute] ? mnl_attr_get_u32(link->attribute[attribute]) : 0;
}

/* How link-local addresses are made, and the token that users may give. */
static void dump_inet6(struct pool *pool, const struct net_link *link, NetDeviceEntry *entry)
{
	const struct nlattr *families[AF_MAX] = { 0 }, *parts[RTNETLINK_ATTRIBUTES] = { 0 };
	const struct nlattr *mode, *token;
	static const uint8_t none[16];

	rtnetlink_parse_nested(link->attribute[IFLA_AF_SPEC], families, AF_MAX);
	rtnetlink_parse_nested(families[AF_INET6], parts, RTNETLINK_ATTRIBUTES);
	mode = parts[IFLA_INET6_ADDR_GEN_MODE];
	token = parts[IFLA_INET6_TOKEN];
	entry->has_addr_gen_mode = mode != NULL;
	entry->addr_gen_mode = mode ? mnl_attr_get_u8(mode) : 0;
	if (!token || mnl_attr_get_payload_len(token) != sizeof(none) ||
	    !memcmp(mnl_attr_get_payload(token), none, sizeof(none)))
		return;
	entry->has_token = true;
	entry->token.len = sizeof(none);
	entry->token.data = pool_copy(pool, mnl_attr_get_payload(token), sizeof(none));
}

/* A device on or beside another one: which, and in which namespace. */
static void dump_peer(struct net_view *view, const struct net_link *link, NetDeviceEntry *entry)
{
	int nsid = -1;

	entry->has_peer_ifindex = true;
	entry->peer_ifindex = link->attribute[IFLA_LINK] ? number_of(link, IFLA_LINK) : (uint32_t)link->index;
	if (!link->attribute[IFLA_LINK_NETNSID]) {
		entry->has_peer_nsid = true;
		entry->peer_nsid = view->id;
		return;
	}
	nsid = (int)number_of(link, IFLA_LINK_NETNSID);
	for (size_t i = 0; i < view->n_peers; i++) {
		if (view->peers[i].nsid != nsid)
			continue;
		entry->has_peer_nsid = true;
		entry->peer_nsid = view->peers[i].id;
	}
}

/* A bond gives its ports an address: theirs is the one that they had before. */
static void dump_bond_port(struct pool *pool, const struct net_link *link, NetDeviceEntry *entry)
{
	const struct nlattr *parts[RTNETLINK_ATTRIBUTES] = { 0 }, *own;

	link_keep_attributes(pool, link->slave_data, link_bond_port_settings, &entry->has_slave_data,
			     &entry->slave_data);
	rtnetlink_parse_nested(link->slave_data, parts, RTNETLINK_ATTRIBUTES);
	own = parts[IFLA_BOND_SLAVE_PERM_HWADDR];
	if (own && mnl_attr_get_payload_len(own) == entry->address.len)
		entry->address.data = pool_copy(pool, mnl_attr_get_payload(own), entry->address.len);
}

static void dump_master(struct pool *pool, const struct net_link *link, NetDeviceEntry *entry)
{
	entry->has_master = link->attribute[IFLA_MASTER] != NULL;
	entry->master = number_of(link, IFLA_MASTER);
	if (link->slave_kind && !strcmp(link->slave_kind, "bridge"))
		link_keep_attributes(pool, link->slave_data, link_port_settings, &entry->has_slave_data,
				     &entry->slave_data);
	if (link->slave_kind && !strcmp(link->slave_kind, "bond"))
		dump_bond_port(pool, link, entry);
}

static void dump_common(struct net_view *view, const struct net_link *link, NetDeviceEntry *entry)
{
	const struct nlattr *address = link->attribute[IFLA_ADDRESS];
	struct pool *pool = view->d->pool;

	entry->name = pool_string(pool, link->name);
	entry->ifindex = (uint32_t)link->index;
	entry->mtu = number_of(link, IFLA_MTU);
	entry->flags = link->flags;
	if (address && link->type != ARPHRD_LOOPBACK && mnl_attr_get_payload_len(address)) {
		entry->has_address = true;
		entry->address.len = mnl_attr_get_payload_len(address);
		entry->address.data = pool_copy(pool, mnl_attr_get_payload(address), entry->address.len);
	}
	dump_master(pool, link, entry);
	entry->has_tx_queue_len = link->attribute[IFLA_TXQLEN] != NULL;
	entry->tx_queue_len = number_of(link, IFLA_TXQLEN);
	entry->has_group = number_of(link, IFLA_GROUP) != 0;
	entry->group = number_of(link, IFLA_GROUP);
	if (link->attribute[IFLA_IFALIAS])
		entry->alias = pool_string(pool, mnl_attr_get_str(link->attribute[IFLA_IFALIAS]));
	entry->has_tx_queues = entry->has_rx_queues = link->kind != NULL;
	entry->tx_queues = number_of(link, IFLA_NUM_TX_QUEUES);
	entry->rx_queues = number_of(link, IFLA_NUM_RX_QUEUES);
	dump_inet6(pool, link, entry);
	dump_peer(view, link, entry);
}

const struct link_kind *net_link_kind(const struct net_link *link)
{
	for (const struct link_kind *const *kind = link_kinds; *kind; kind++) {
		if ((*kind)->kind && (!link->kind || strcmp((*kind)->kind, link->kind) != 0))
			continue;
		if (!(*kind)->is || (*kind)->is(link))
			return *kind;
	}
	return NULL;
}

/* Somebody else knows it: a plugin, or whoever gives the device at restore. */
static int dump_foreign(struct net_view *view, const struct net_link *link, NetDeviceEntry *entry)
{
	const char *kind = link->kind ?: "hardware";
	int answer;

	entry->type = ND_TYPE__EXTLINK;
	if (link_external(view->d->options, "netdev", link->name))
		return 0;
	answer = plugins_ask(view->d->plugins, DUMP_EXT_LINK, link->index, link->type, (char *)(link->kind ?: ""));
	if (answer >= 0)
		return 0;
	if (answer != -EOPNOTSUPP)
		return plugins_fail(view->d->plugins, answer);
	if (link->kind)
		return refuse(EOPNOTSUPP,
			      "network device %s is of the kind %s, which cannot be saved; a plugin could (hook "
			      "DUMP_EXT_LINK)",
			      link->name, kind);
	return refuse(EOPNOTSUPP,
		      "network device %s is hardware: to be given at restore dump and restore with --external "
		      "netdev[%s]:NAME",
		      link->name, link->name);
}

/* What would change the way of packets silently. */
static int check_programs(const struct net_link *link)
{
	const struct nlattr *parts[RTNETLINK_ATTRIBUTES] = { 0 };

	rtnetlink_parse_nested(link->attribute[IFLA_XDP], parts, RTNETLINK_ATTRIBUTES);
	if (parts[IFLA_XDP_ATTACHED] && mnl_attr_get_u8(parts[IFLA_XDP_ATTACHED]) != XDP_ATTACHED_NONE)
		return refuse(EOPNOTSUPP, "network device %s has an XDP program, which cannot be saved", link->name);
	return 0;
}

bool net_is_given(const struct net_given *given, uint32_t number)
{
	for (size_t i = 0; i < given->n; i++)
		if (given->numbers[i] == number)
			return true;
	return false;
}

/* It leads to a device of the root's namespace that somebody else gives again, with another number. */
static int check_peer(const struct net_view *view, const NetDeviceEntry *entry)
{
	const struct namespace *ns = entry->has_peer_nsid && entry->peer_nsid != view->id
					     ? network_find(dump_namespaces(view->d), entry->peer_nsid)
					     : NULL;
	const struct net_space *space = ns ? ns->data : NULL;

	if (!space || !net_is_given(&space->given, entry->peer_ifindex))
		return 0;
	return refuse(EOPNOTSUPP,
		      "network device %s stands on device %u of the root's namespace, which --empty-ns net leaves to "
		      "whoever restores: --external veth[NAME] keeps that one (in /etc/criu/runc.conf for runc)",
		      entry->name, entry->peer_ifindex);
}

static int dump_link(struct net_view *view, const struct net_link *link, NetDeviceEntry *entry)
{
	const struct link_kind *kind = net_link_kind(link);

	net_device_entry__init(entry);
	dump_common(view, link, entry);
	TRY(check_peer(view, entry));
	TRY(check_programs(link));
	TRY(net_settings_dump_device(view->d->pool, entry));
	TRY(net_features_dump(view->d->pool, entry));
	if (!kind)
		return dump_foreign(view, link, entry);
	entry->type = kind->type;
	log_debug("network device %s, number %d: %s", link->name, link->index, kind->name);
	return kind->dump ? kind->dump(view, link, entry) : 0;
}

int net_links_dump(struct net_view *view, const struct link_kind *only, struct net_devices *to)
{
	struct net_links links = { 0 };
	int error = rtnetlink_links(view->netlink, view->d->pool, &links);

	if (error < 0)
		error = fail(-error, "asking for the network devices");
	for (size_t i = 0; i < links.n && error >= 0; i++) {
		NetDeviceEntry *entry;

		if (net_is_given(view->given, (uint32_t)links.items[i].index) ||
		    (only && net_link_kind(&links.items[i]) != only))
			continue;
		entry = *vector_push(to) = pool_new(view->d->pool, NetDeviceEntry);
		error = dump_go_on(view->d, dump_link(view, &links.items[i], entry));
	}
	vector_done(&links);
	return error;
}
