/* SPDX-License-Identifier: LGPL-2.1-only */
/* Generic netlink: requests to families of the kernel that are found by their names. */
#include "kern/net/genetlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdbool.h>
#include <string.h>

#include "kern/net/netlink.h"

struct nlmsghdr *genetlink_begin(void *capacity, uint16_t family, uint8_t command, uint8_t version, uint16_t flags)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(capacity);
	struct genlmsghdr *generic = mnl_nlmsg_put_extra_header(header, sizeof(*generic));

	header->nlmsg_type = family;
	header->nlmsg_flags = NLM_F_REQUEST | flags;
	generic->cmd = command;
	generic->version = version;
	return header;
}

static int take_family(void *arg, const struct nlmsghdr *message)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
			memcpy(arg, mnl_attr_get_payload(attr), sizeof(uint16_t));
	}
	return 0;
}

int genetlink_find(struct netlink *netlink, const char *name, uint16_t *ret)
{
	char buffer[GENETLINK_CAPACITY] __attribute__((aligned(8))) = { 0 };
	struct nlmsghdr *request = genetlink_begin(buffer, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, NLM_F_ACK);
	int error;

	*ret = 0;
	mnl_attr_put_strz(request, CTRL_ATTR_FAMILY_NAME, name);
	error = netlink_ask(netlink, request, take_family, ret);
	if (error < 0)
		return error;
	return *ret ? 0 : -ENOENT;
}

struct wanted_family {
	const char *name;
	uint16_t number;
};

static int compare_family(void *arg, const struct nlmsghdr *message)
{
	struct wanted_family *wanted = arg;
	const struct nlattr *attr;
	bool is_it = false;
	uint16_t number = 0;

	mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
			memcpy(&number, mnl_attr_get_payload(attr), sizeof(number));
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_NAME)
			is_it = !strcmp(mnl_attr_get_str(attr), wanted->name);
	}
	if (is_it)
		wanted->number = number;
	return 0;
}

int genetlink_find_loaded(struct netlink *netlink, const char *name, uint16_t *ret)
{
	char buffer[GENETLINK_CAPACITY] __attribute__((aligned(8)));
	struct wanted_family wanted = { name, 0 };
	int error = netlink_ask(netlink, genetlink_begin(buffer, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, NLM_F_DUMP),
				compare_family, &wanted);

	*ret = wanted.number;
	if (error < 0)
		return error;
	return wanted.number ? 0 : -ENOENT;
}
