/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Labels of IPv6 addresses (ip-addrlabel(8)): which one of several addresses a connection takes. The kernel gives each
 * namespace some, which may have been changed or taken away.
 */
#include "object/net/address-label.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addrlabel.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/pool.h"
#include "kern/net/netlink.h"
#include "kern/net/rtnetlink.h"
#include "object/net/link/link.h"
#include "session/session.h"

static int ask_labels(struct netlink *netlink, struct buffer *to)
{
	const struct ifaddrlblmsg header = { .ifal_family = AF_INET6 };

	return rtnetlink_dump(netlink, RTM_GETADDRLABEL, &header, sizeof(header), NULL, to);
}

static const struct ifaddrlblmsg *label_of(const struct nlmsghdr *message)
{
	return mnl_nlmsg_get_payload(message);
}

int net_address_labels_collect(const struct dump *d, struct netlink *netlink, const struct net_given *given,
			       NetnsEntry *entry)
{
	AUTO(buffer_done) struct buffer messages = { 0 }, kept = { 0 };
	const struct nlmsghdr *message;
	int error = ask_labels(netlink, &messages);

	if (error == -EOPNOTSUPP || error == -EAFNOSUPPORT) /* without IPv6 */
		return 0;
	if (error < 0)
		return fail(-error, "asking for the labels of addresses (ip addrlabel)");
	rtnetlink_for_each(message, messages.data, messages.size)
	{
		if (!label_of(message)->ifal_index || !net_is_given(given, label_of(message)->ifal_index))
			buffer_append(&kept, message, NLMSG_ALIGN(message->nlmsg_len));
	}
	entry->has_address_labels = true;
	entry->address_labels.len = kept.size;
	entry->address_labels.data = pool_copy(d->pool, kept.data, kept.size);
	return 0;
}

int net_address_labels_check(const NetnsEntry *entry)
{
	if (entry->has_address_labels && !rtnetlink_is_sound(entry->address_labels.data, entry->address_labels.len,
							     RTM_NEWADDRLABEL, sizeof(struct ifaddrlblmsg)))
		return refuse(EINVAL, "the messages with labels of addresses are damaged");
	return 0;
}

static bool has_same(const struct nlattr *a, const struct nlattr *b)
{
	return a && b && mnl_attr_get_payload_len(a) == mnl_attr_get_payload_len(b) &&
	       !memcmp(mnl_attr_get_payload(a), mnl_attr_get_payload(b), mnl_attr_get_payload_len(a));
}

static bool is_alike(const struct nlmsghdr *a, const struct nlmsghdr *b)
{
	const struct nlattr *of_a[IFAL_LABEL + 1] = { 0 }, *of_b[IFAL_LABEL + 1] = { 0 };

	rtnetlink_parse(a, sizeof(struct ifaddrlblmsg), of_a, IFAL_LABEL + 1);
	rtnetlink_parse(b, sizeof(struct ifaddrlblmsg), of_b, IFAL_LABEL + 1);
	return label_of(a)->ifal_prefixlen == label_of(b)->ifal_prefixlen &&
	       label_of(a)->ifal_index == label_of(b)->ifal_index && has_same(of_a[IFAL_ADDRESS], of_b[IFAL_ADDRESS]) &&
	       has_same(of_a[IFAL_LABEL], of_b[IFAL_LABEL]);
}

static bool is_among(const struct nlmsghdr *wanted, const void *data, size_t size)
{
	const struct nlmsghdr *message;

	rtnetlink_for_each(message, data, size)
	{
		if (is_alike(message, wanted))
			return true;
	}
	return false;
}

static int tell_label(struct netlink *netlink, uint16_t type, uint16_t flags, const struct nlmsghdr *message)
{
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	int error = rtnetlink_tell(netlink, rtnetlink_begin(capacity, type, flags, mnl_nlmsg_get_payload(message),
							    mnl_nlmsg_get_payload_len(message)));

	return error < 0 ? fail(-error, "changing a label of addresses (ip addrlabel)") : 0;
}

int net_address_labels_restore(struct netlink *netlink, const NetnsEntry *entry)
{
	AUTO(buffer_done) struct buffer here = { 0 };
	const ProtobufCBinaryData *saved = &entry->address_labels;
	const struct nlmsghdr *message;
	int error;

	if (!entry->has_address_labels)
		return 0;
	error = ask_labels(netlink, &here);
	if (error < 0)
		return fail(-error, "asking for the labels of addresses (ip addrlabel)");
	rtnetlink_for_each(message, here.data, here.size)
	{
		if (!is_among(message, saved->data, saved->len))
			TRY(tell_label(netlink, RTM_DELADDRLABEL, 0, message));
	}
	rtnetlink_for_each(message, saved->data, saved->len)
	{
		if (!is_among(message, here.data, here.size))
			TRY(tell_label(netlink, RTM_NEWADDRLABEL, NLM_F_CREATE | NLM_F_EXCL, message));
	}
	return 0;
}
