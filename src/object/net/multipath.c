/* SPDX-License-Identifier: GPL-2.0-only */
/* Endpoints and limits of Multipath TCP: the kernel is given again what it has told. */
#include "object/net/multipath.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/mptcp.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/vector.h"
#include "kern/net/genetlink.h"
#include "kern/net/netlink.h"
#include "session/session.h"

#define ENDPOINT_MAX 128 /* bytes of its attributes */

#ifndef MPTCP_PM_ADDR_FLAG_IMPLICIT
#define MPTCP_PM_ADDR_FLAG_IMPLICIT (1 << 4) /* Linux 5.18 */
#endif

struct endpoint_reading {
	struct pool *pool;
	VECTOR(ProtobufCBinaryData) endpoints;
	uint32_t accepted, subflows;
};

/* --- dump --- */

static bool is_implicit(const struct nlattr *endpoint)
{
	const struct nlattr *part;
	uint32_t flags = 0;

	mnl_attr_for_each_nested(part, endpoint)
	{
		if (mnl_attr_get_type(part) == MPTCP_PM_ADDR_ATTR_FLAGS)
			memcpy(&flags, mnl_attr_get_payload(part), sizeof(flags));
	}
	return flags & MPTCP_PM_ADDR_FLAG_IMPLICIT;
}

static int take_endpoint(void *arg, const struct nlmsghdr *message)
{
	struct endpoint_reading *reading = arg;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr))
	{
		size_t size = mnl_attr_get_payload_len(attr);

		if (mnl_attr_get_type(attr) == MPTCP_PM_ATTR_ADDR && size <= ENDPOINT_MAX && !is_implicit(attr))
			*vector_push(&reading->endpoints) =
				(ProtobufCBinaryData){ size,
						       pool_copy(reading->pool, mnl_attr_get_payload(attr), size) };
	}
	return 0;
}

static int take_limits(void *arg, const struct nlmsghdr *message)
{
	struct endpoint_reading *reading = arg;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attr) == MPTCP_PM_ATTR_RCV_ADD_ADDRS)
			memcpy(&reading->accepted, mnl_attr_get_payload(attr), sizeof(uint32_t));
		if (mnl_attr_get_type(attr) == MPTCP_PM_ATTR_SUBFLOWS)
			memcpy(&reading->subflows, mnl_attr_get_payload(attr), sizeof(uint32_t));
	}
	return 0;
}

static int read_all(struct netlink *netlink, uint16_t family, struct endpoint_reading *reading)
{
	char buffer[GENETLINK_CAPACITY] __attribute__((aligned(8))) = { 0 };
	int result;

	do {
		reading->endpoints.n = 0;
		result = netlink_ask(netlink,
				     genetlink_begin(buffer, family, MPTCP_PM_CMD_GET_ADDR, MPTCP_PM_VER, NLM_F_DUMP),
				     take_endpoint, reading);
	} while (result == -EINTR);
	if (result < 0)
		return result;
	memset(buffer, 0, sizeof(buffer));
	return netlink_ask(netlink, genetlink_begin(buffer, family, MPTCP_PM_CMD_GET_LIMITS, MPTCP_PM_VER, NLM_F_ACK),
			   take_limits, reading);
}

int net_multipath_collect(const struct dump *d, NetnsEntry *entry)
{
	AUTO(netlink_close) struct netlink *netlink = NULL;
	struct endpoint_reading reading = { .pool = d->pool };
	uint16_t family;
	int error = netlink_open(NETLINK_GENERIC, &netlink);

	if (error < 0)
		return fail(-error, "cannot open a generic netlink socket");
	if (genetlink_find(netlink, MPTCP_PM_NAME, &family) < 0)
		return 0;
	error = read_all(netlink, family, &reading);
	if (error == 0) {
		entry->n_multipath_endpoints = reading.endpoints.n;
		entry->multipath_endpoints = pool_copy(d->pool, reading.endpoints.items,
						       reading.endpoints.n * sizeof(*reading.endpoints.items));
		entry->has_multipath_accepted = entry->has_multipath_subflows = true;
		entry->multipath_accepted = reading.accepted;
		entry->multipath_subflows = reading.subflows;
	}
	vector_done(&reading.endpoints);
	return error < 0 ? fail(-error, "asking for the endpoints of Multipath TCP (ip mptcp endpoint)") : 0;
}

/* --- restore --- */

int net_multipath_check(const NetnsEntry *entry)
{
	for (size_t i = 0; i < entry->n_multipath_endpoints; i++)
		if (entry->multipath_endpoints[i].len > ENDPOINT_MAX)
			return refuse(EINVAL, "netns image: an endpoint of Multipath TCP has %zu bytes",
				      entry->multipath_endpoints[i].len);
	return 0;
}

static int add_endpoint(struct netlink *netlink, uint16_t family, const ProtobufCBinaryData *endpoint)
{
	char buffer[GENETLINK_CAPACITY] __attribute__((aligned(8))) = { 0 };
	struct nlmsghdr *header = genetlink_begin(buffer, family, MPTCP_PM_CMD_ADD_ADDR, MPTCP_PM_VER, NLM_F_ACK);

	mnl_attr_put(header, MPTCP_PM_ATTR_ADDR | NLA_F_NESTED, endpoint->len, endpoint->data);
	return netlink_ask(netlink, header, NULL, NULL);
}

static int set_limits(struct netlink *netlink, uint16_t family, const NetnsEntry *entry)
{
	char buffer[GENETLINK_CAPACITY] __attribute__((aligned(8))) = { 0 };
	struct nlmsghdr *header = genetlink_begin(buffer, family, MPTCP_PM_CMD_SET_LIMITS, MPTCP_PM_VER, NLM_F_ACK);

	mnl_attr_put_u32(header, MPTCP_PM_ATTR_RCV_ADD_ADDRS, entry->multipath_accepted);
	mnl_attr_put_u32(header, MPTCP_PM_ATTR_SUBFLOWS, entry->multipath_subflows);
	return netlink_ask(netlink, header, NULL, NULL);
}

int net_multipath_restore(const NetnsEntry *entry)
{
	AUTO(netlink_close) struct netlink *netlink = NULL;
	uint16_t family;
	int error = netlink_open(NETLINK_GENERIC, &netlink);

	if (error < 0)
		return fail(-error, "cannot open a generic netlink socket");
	error = genetlink_find(netlink, MPTCP_PM_NAME, &family);
	if (error < 0) {
		if (entry->n_multipath_endpoints)
			log_warn("This kernel has no Multipath TCP: its %zu endpoints are lost",
				 entry->n_multipath_endpoints);
		return 0;
	}
	for (size_t i = 0; i < entry->n_multipath_endpoints; i++) {
		error = add_endpoint(netlink, family, &entry->multipath_endpoints[i]);
		if (error < 0)
			return fail(-error, "cannot add an endpoint of Multipath TCP (ip mptcp endpoint)");
	}
	if (entry->has_multipath_accepted && entry->has_multipath_subflows &&
	    (error = set_limits(netlink, family, entry)) < 0)
		return fail(-error, "cannot set the limits of Multipath TCP (ip mptcp limits)");
	return 0;
}
