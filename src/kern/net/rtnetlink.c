/* SPDX-License-Identifier: LGPL-2.1-only */
/* Devices, addresses, routes and rules of a network namespace, on top of libmnl. */
#include "kern/net/rtnetlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/net_namespace.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/pool.h"
#include "base/vector.h"
#include "kern/net/netlink.h"

#define TRIES 20

struct attribute_table {
	const struct nlattr **table;
	size_t capacity;
};

static int put_attribute(const struct nlattr *attribute, void *data)
{
	const struct attribute_table *to = data;

	if (mnl_attr_get_type(attribute) < to->capacity)
		to->table[mnl_attr_get_type(attribute)] = attribute;
	return MNL_CB_OK;
}

void rtnetlink_parse(const struct nlmsghdr *message, size_t size, const struct nlattr **table, size_t capacity)
{
	mnl_attr_parse(message, (unsigned)size, put_attribute, &(struct attribute_table){ table, capacity });
}

void rtnetlink_parse_nested(const struct nlattr *nest, const struct nlattr **table, size_t capacity)
{
	if (nest)
		mnl_attr_parse_nested(nest, put_attribute, &(struct attribute_table){ table, capacity });
}

/* --- dumps --- */

struct dumping {
	bool (*wanted)(const struct nlmsghdr *message);
	struct buffer *to;
};

static int keep_message(void *arg, const struct nlmsghdr *message)
{
	struct dumping *dumping = arg;

	if (dumping->wanted && !dumping->wanted(message))
		return 0;
	memcpy(buffer_extend(dumping->to, NLMSG_ALIGN(message->nlmsg_len)), message, message->nlmsg_len);
	return 0;
}

int rtnetlink_dump(struct netlink *netlink, uint16_t type, const void *header, size_t size,
		   bool (*wanted)(const struct nlmsghdr *), struct buffer *to)
{
	struct dumping dumping = { wanted, to };
	size_t before = to->size;
	char capacity[1024] __attribute__((aligned(8)));
	int result = -EINTR;

	for (int i = 0; i < TRIES && result == -EINTR; i++) {
		struct nlmsghdr *request = mnl_nlmsg_put_header(capacity);

		to->size = before;
		request->nlmsg_type = type;
		request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
		memcpy(mnl_nlmsg_put_extra_header(request, size), header, size);
		result = netlink_ask(netlink, request, keep_message, &dumping);
	}
	return result;
}

static bool attributes_are_sound(const char *at, size_t left)
{
	while (left) {
		const struct nlattr *attribute = (const struct nlattr *)at;

		if (left < sizeof(*attribute) || attribute->nla_len < sizeof(*attribute) || attribute->nla_len > left)
			return false;
		if (NLMSG_ALIGN(attribute->nla_len) >= left)
			return true;
		at += NLMSG_ALIGN(attribute->nla_len);
		left -= NLMSG_ALIGN(attribute->nla_len);
	}
	return true;
}

/* Its size, rounded up; 0: it is none. */
static size_t sound_size(const char *at, size_t left, size_t head, uint16_t *ret_type)
{
	struct nlmsghdr message;

	if (left < head)
		return 0;
	memcpy(&message, at, sizeof(message));
	*ret_type = message.nlmsg_type;
	if (message.nlmsg_len < head || NLMSG_ALIGN((size_t)message.nlmsg_len) > left ||
	    !attributes_are_sound(at + head, message.nlmsg_len - head))
		return 0;
	return NLMSG_ALIGN(message.nlmsg_len);
}

bool rtnetlink_is_sound(const void *data, size_t size, uint16_t type, size_t header)
{
	const size_t head = NLMSG_ALIGN(sizeof(struct nlmsghdr)) + NLMSG_ALIGN(header);

	for (size_t at = 0, step; at < size; at += step) {
		uint16_t found;

		step = sound_size((const char *)data + at, size - at, head, &found);
		if (!step || found != type || step > RTNETLINK_CAPACITY / 2)
			return false;
	}
	return true;
}

bool rtnetlink_are_sound(const void *data, size_t size, bool (*is_known)(uint16_t type), size_t header)
{
	const size_t head = NLMSG_ALIGN(sizeof(struct nlmsghdr)) + NLMSG_ALIGN(header);

	for (size_t at = 0, step; at < size; at += step) {
		uint16_t found;

		step = sound_size((const char *)data + at, size - at, head, &found);
		if (!step || !is_known(found))
			return false;
	}
	return true;
}

bool rtnetlink_payload_is_sound(const void *data, size_t size, size_t header)
{
	const size_t head = NLMSG_ALIGN(header);

	return size >= head && size <= RTNETLINK_CAPACITY / 2 - NLMSG_HDRLEN &&
	       attributes_are_sound((const char *)data + head, size - head);
}

/* --- devices --- */

static void take_link(struct net_links *links, const struct nlmsghdr *message)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	const struct nlattr *parts[IFLA_INFO_MAX + 1] = { 0 };
	struct net_link *link = vector_push(links);

	*link = (struct net_link){
		.index = info->ifi_index, .type = info->ifi_type, .flags = info->ifi_flags, .name = ""
	};
	rtnetlink_parse(message, sizeof(*info), link->attribute, RTNETLINK_ATTRIBUTES);
	if (link->attribute[IFLA_IFNAME])
		link->name = mnl_attr_get_str(link->attribute[IFLA_IFNAME]);
	rtnetlink_parse_nested(link->attribute[IFLA_LINKINFO], parts, IFLA_INFO_MAX + 1);
	if (parts[IFLA_INFO_KIND])
		link->kind = mnl_attr_get_str(parts[IFLA_INFO_KIND]);
	if (parts[IFLA_INFO_SLAVE_KIND])
		link->slave_kind = mnl_attr_get_str(parts[IFLA_INFO_SLAVE_KIND]);
	link->data = parts[IFLA_INFO_DATA];
	link->slave_data = parts[IFLA_INFO_SLAVE_DATA];
}

static int by_index(const void *a, const void *b)
{
	return ((const struct net_link *)a)->index - ((const struct net_link *)b)->index;
}

int rtnetlink_links(struct netlink *netlink, struct pool *pool, struct net_links *ret)
{
	const struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
	struct buffer raw = { 0 };
	const struct nlmsghdr *message;
	char *copy;
	int result = rtnetlink_dump(netlink, RTM_GETLINK, &header, sizeof(header), NULL, &raw);

	ret->n = 0;
	if (result == 0) {
		copy = pool_copy(pool, raw.data, raw.size);
		rtnetlink_for_each(message, copy, raw.size) take_link(ret, message);
		if (ret->n)
			qsort(ret->items, ret->n, sizeof(*ret->items), by_index);
	}
	buffer_done(&raw);
	return result;
}

/* --- requests --- */

struct nlmsghdr *rtnetlink_begin(void *capacity, uint16_t type, uint16_t flags, const void *header, size_t size)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(capacity);

	request->nlmsg_type = type;
	request->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	memcpy(mnl_nlmsg_put_extra_header(request, size), header, size);
	return request;
}

static int nobody_answers(void *arg, const struct nlmsghdr *message)
{
	return 0;
}

int rtnetlink_tell(struct netlink *netlink, struct nlmsghdr *request)
{
	return netlink_ask(netlink, request, nobody_answers, NULL);
}

static int take_index(void *arg, const struct nlmsghdr *message)
{
	*(int *)arg = ((const struct ifinfomsg *)mnl_nlmsg_get_payload(message))->ifi_index;
	return 0;
}

int rtnetlink_index(struct netlink *netlink, const char *name)
{
	const struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
	char capacity[256] __attribute__((aligned(8)));
	struct nlmsghdr *request = rtnetlink_begin(capacity, RTM_GETLINK, 0, &header, sizeof(header));
	int index = 0;

	mnl_attr_put_strz(request, IFLA_IFNAME, name);
	(void)netlink_ask(netlink, request, take_index, &index); /* as good as not there */
	return index;
}

/* --- numbers of namespaces --- */

static int take_nsid(void *arg, const struct nlmsghdr *message)
{
	const struct nlattr *attributes[NETNSA_MAX + 1] = { 0 };

	rtnetlink_parse(message, sizeof(struct rtgenmsg), attributes, NETNSA_MAX + 1);
	if (attributes[NETNSA_NSID])
		*(int *)arg = (int)mnl_attr_get_u32(attributes[NETNSA_NSID]);
	return 0;
}

int rtnetlink_nsid_get(struct netlink *netlink, int ns_fd, int *ret)
{
	const struct rtgenmsg header = { .rtgen_family = AF_UNSPEC };
	char capacity[256] __attribute__((aligned(8)));
	struct nlmsghdr *request = rtnetlink_begin(capacity, RTM_GETNSID, 0, &header, sizeof(header));

	*ret = NETNSA_NSID_NOT_ASSIGNED;
	mnl_attr_put_u32(request, NETNSA_FD, (uint32_t)ns_fd);
	return netlink_ask(netlink, request, take_nsid, ret);
}

int rtnetlink_nsid_set(struct netlink *netlink, int ns_fd, int nsid)
{
	const struct rtgenmsg header = { .rtgen_family = AF_UNSPEC };
	char capacity[256] __attribute__((aligned(8)));
	struct nlmsghdr *request = rtnetlink_begin(capacity, RTM_NEWNSID, 0, &header, sizeof(header));

	mnl_attr_put_u32(request, NETNSA_NSID, (uint32_t)nsid);
	mnl_attr_put_u32(request, NETNSA_FD, (uint32_t)ns_fd);
	return rtnetlink_tell(netlink, request);
}
