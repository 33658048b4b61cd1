/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections that the firewall keeps track of, and those that it expects: messages of the kernel as they came. */
#include "object/net/netfilter/conntrack.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/pool.h"
#include "image/image.h"
#include "image/payload.h"
#include "kern/net/netlink.h"
#include "kern/net/rtnetlink.h"

#define TYPE(subsystem, message) ((NFNL_SUBSYS_##subsystem << 8) | (message))
#define CT_GET			 TYPE(CTNETLINK, IPCTNL_MSG_CT_GET)
#define CT_NEW			 TYPE(CTNETLINK, IPCTNL_MSG_CT_NEW)
#define EXP_GET			 TYPE(CTNETLINK_EXP, IPCTNL_MSG_EXP_GET)
#define EXP_NEW			 TYPE(CTNETLINK_EXP, IPCTNL_MSG_EXP_NEW)

static int dump_one(struct dump *d, struct netlink *netlink, uint16_t get, enum image_id which, uint32_t id)
{
	AUTO(image_close) struct image *image = NULL;
	AUTO(buffer_done) struct buffer messages = { 0 };
	const struct nfgenmsg header = { .nfgen_family = AF_UNSPEC };
	int error = rtnetlink_dump(netlink, get, &header, sizeof(header), NULL, &messages);

	if (error == -EINVAL || error == -EOPNOTSUPP || error == -ENOENT) /* this kernel keeps track of none */
		return 0;
	if (error < 0)
		return fail(-error, "asking for tracked connections");
	TRY(image_create_number(dump_store(d), &image, which, (struct image_number){ id }));
	TRY(image_write_bytes(image, messages.data, messages.size));
	return image_finish(&image);
}

int net_conntrack_dump(struct dump *d, uint32_t id)
{
	AUTO(netlink_close) struct netlink *netlink = NULL;
	int error = netlink_open(NETLINK_NETFILTER, &netlink);

	if (error == -EPROTONOSUPPORT)
		return 0;
	if (error < 0)
		return fail(-error, "opening a netfilter socket");
	TRY(dump_one(d, netlink, CT_GET, IMAGE_NETNS_CT, id));
	return dump_one(d, netlink, EXP_GET, IMAGE_NETNS_EXP, id);
}

static int load_one(const struct restore *r, uint16_t type, enum image_id which, uint32_t id, void **ret,
		    size_t *ret_size)
{
	AUTO(image_close) struct image *image = NULL;
	void *data;
	int error = image_open_number(r->store, &image, which, (struct image_number){ id });

	if (error == -ENOENT)
		return 0;
	TRY(error);
	TRY(image_read_payload(image, &data, ret_size));
	if (!rtnetlink_is_sound(data, *ret_size, type, sizeof(struct nfgenmsg)))
		return image_refuse(image, "its messages are damaged");
	*ret = pool_copy(r->pool, data, *ret_size); /* aligned as messages are to be */
	return 0;
}

int net_conntrack_load(const struct restore *r, uint32_t id, struct net_tracks *to)
{
	TRY(load_one(r, CT_NEW, IMAGE_NETNS_CT, id, &to->connections, &to->connections_size));
	return load_one(r, EXP_NEW, IMAGE_NETNS_EXP, id, &to->expectations, &to->expectations_size);
}

/* While the ends were away nobody has looked at their windows: packets that do not fit are let pass. */
static void be_liberal(struct nlmsghdr *request)
{
	const struct nlattr *parts[CTA_MAX + 1] = { 0 }, *protocols[CTA_PROTOINFO_MAX + 1] = { 0 },
					     *tcp[CTA_PROTOINFO_TCP_MAX + 1] = { 0 };
	static const uint16_t directions[] = { CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, CTA_PROTOINFO_TCP_FLAGS_REPLY };

	rtnetlink_parse(request, sizeof(struct nfgenmsg), parts, CTA_MAX + 1);
	rtnetlink_parse_nested(parts[CTA_PROTOINFO], protocols, CTA_PROTOINFO_MAX + 1);
	rtnetlink_parse_nested(protocols[CTA_PROTOINFO_TCP], tcp, CTA_PROTOINFO_TCP_MAX + 1);
	for (size_t i = 0; i < 2; i++) {
		const struct nlattr *flags = tcp[directions[i]];
		struct nf_ct_tcp_flags *value = flags ? mnl_attr_get_payload(flags) : NULL;

		if (!value || mnl_attr_get_payload_len(flags) < sizeof(*value))
			continue;
		value->flags |= IP_CT_TCP_FLAG_BE_LIBERAL;
		value->mask |= IP_CT_TCP_FLAG_BE_LIBERAL;
	}
}

static int tell_all(struct netlink *netlink, const void *data, size_t size, const char *what)
{
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	const struct nlmsghdr *message;

	rtnetlink_for_each(message, data, size)
	{
		struct nlmsghdr *request = (struct nlmsghdr *)capacity;
		int error;

		memcpy(capacity, message, message->nlmsg_len);
		request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
		request->nlmsg_pid = 0;
		be_liberal(request);
		error = rtnetlink_tell(netlink, request);
		if (error < 0 && error != -EEXIST)
			return fail(-error, "restoring %s", what);
	}
	return 0;
}

int net_conntrack_restore(const struct net_tracks *tracks)
{
	AUTO(netlink_close) struct netlink *netlink = NULL;
	int error;

	if (!tracks->connections_size && !tracks->expectations_size)
		return 0;
	error = netlink_open(NETLINK_NETFILTER, &netlink);
	if (error < 0)
		return fail(-error, "opening a netfilter socket");
	TRY(tell_all(netlink, tracks->connections, tracks->connections_size, "a tracked connection"));
	return tell_all(netlink, tracks->expectations, tracks->expectations_size, "an expected connection");
}
