/* SPDX-License-Identifier: GPL-2.0-only */
/* tun and tap devices in a namespace of the tree. Their files (object/file/tun/tun.c) are attached when they are there.
 */
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/pool.h"
#include "object/net/link/link.h"

#define DEFAULT_HEADER 10 /* struct virtio_net_hdr */

static bool is_set(const struct nlattr *const *data, int attribute)
{
	return data[attribute] && mnl_attr_get_u8(data[attribute]);
}

static int dump_tun_link(struct net_view *view, const struct net_link *link, NetDeviceEntry *entry)
{
	const struct nlattr *data[RTNETLINK_ATTRIBUTES] = { 0 };
	TunLinkEntry *tun = entry->tun = pool_new(view->d->pool, TunLinkEntry);

	rtnetlink_parse_nested(link->data, data, RTNETLINK_ATTRIBUTES);
	if (!data[IFLA_TUN_TYPE])
		return refuse(EOPNOTSUPP, "the kernel does not tell the type of tun device %s", link->name);
	tun_link_entry__init(tun);
	tun->flags = mnl_attr_get_u8(data[IFLA_TUN_TYPE]);
	if (!is_set(data, IFLA_TUN_PI))
		tun->flags |= IFF_NO_PI;
	if (is_set(data, IFLA_TUN_VNET_HDR))
		tun->flags |= IFF_VNET_HDR;
	if (is_set(data, IFLA_TUN_MULTI_QUEUE))
		tun->flags |= IFF_MULTI_QUEUE;
	tun->owner = data[IFLA_TUN_OWNER] ? (int32_t)mnl_attr_get_u32(data[IFLA_TUN_OWNER]) : -1;
	tun->group = data[IFLA_TUN_GROUP] ? (int32_t)mnl_attr_get_u32(data[IFLA_TUN_GROUP]) : -1;
	/* Those of one that is in use come with its file. */
	tun->vnethdr = DEFAULT_HEADER;
	tun->sndbuf = INT_MAX;
	return 0;
}

static int check_tun_link(const struct restore *r, const NetDeviceEntry *entry)
{
	if (!entry->tun)
		return refuse(EINVAL, "the record of its type is missing");
	return 0;
}

/* It stays without a file for the moment; the file that is attached to it says whether that is to last. */
static int make_tun_link(struct net_fill *fill, const NetDeviceEntry *entry)
{
	AUTO_CLOSE int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq request = { .ifr_flags = (short)(entry->tun->flags & (IFF_TUN | IFF_TAP | IFF_NO_PI |
									   IFF_VNET_HDR | IFF_MULTI_QUEUE)) };
	unsigned index = entry->ifindex;
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	const struct ifinfomsg header = { .ifi_family = AF_UNSPEC, .ifi_index = (int)entry->ifindex };
	struct nlmsghdr *change = rtnetlink_begin(capacity, RTM_NEWLINK, 0, &header, sizeof(header));
	int error = 0, header_size = (int)entry->tun->vnethdr, sndbuf = (int)entry->tun->sndbuf;

	if (fd < 0)
		return fail_errno("opening /dev/net/tun");
	strncpy(request.ifr_name, entry->name, IFNAMSIZ - 1);
	if (ioctl(fd, TUNSETIFINDEX, &index) < 0 || ioctl(fd, TUNSETIFF, &request) < 0 ||
	    ioctl(fd, TUNSETPERSIST, 1L) < 0)
		return fail_errno("making it");
	if (entry->tun->owner != -1 && ioctl(fd, TUNSETOWNER, (long)entry->tun->owner) < 0)
		return fail_errno("setting its owner");
	if (entry->tun->group != -1 && ioctl(fd, TUNSETGROUP, (long)entry->tun->group) < 0)
		return fail_errno("setting its group");
	if (entry->tun->vnethdr && ioctl(fd, TUNSETVNETHDRSZ, &header_size) < 0)
		return fail_errno("setting the size of its headers");
	if (sndbuf > 0 && ioctl(fd, TUNSETSNDBUF, &sndbuf) < 0)
		return fail_errno("setting its buffer size");
	if (entry->has_address) {
		mnl_attr_put(change, IFLA_ADDRESS, entry->address.len, entry->address.data);
		error = rtnetlink_tell(fill->netlink, change);
	}
	return error < 0 ? fail(-error, "setting its hardware address") : 0;
}

const struct link_kind link_tun_kind = {
	.name = "tun",
	.kind = "tun",
	.type = ND_TYPE__TUN,
	.dump = dump_tun_link,
	.check = check_tun_link,
	.make = make_tun_link,
};
