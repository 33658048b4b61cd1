/* SPDX-License-Identifier: LGPL-2.1-only */
/* The tables of unix, packet and netlink sockets. */
#include "kern/net/sockdiag.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink_diag.h>
#include <linux/packet_diag.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>

#include "base/pool.h"
#include "base/table.h"
#include "kern/net/netlink.h"

struct reading {
	struct pool *pool;
	uint32_t space;
	struct table *by_ino, *by_waiting;
};

/* A dump of one family; the request is copied behind the header. */
static int dump_family(struct netlink *netlink, const void *request, size_t size,
		       int (*answer)(void *arg, const struct nlmsghdr *message), struct reading *reading)
{
	char buffer[MNL_NLMSG_HDRLEN + 128] = { 0 };
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	int result;

	header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	memcpy(mnl_nlmsg_put_extra_header(header, size), request, size);
	do {
		result = netlink_ask(netlink, header, answer, reading);
	} while (result == -EINTR);
	/* sock_diag answers -ENOENT when it has no handler of this family, -EINVAL before Linux 4.2. */
	return result == -ENOENT || result == -EINVAL ? 0 : result;
}

static const void *copy_attribute(struct reading *reading, const struct nlattr *attr)
{
	return pool_copy(reading->pool, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
}

/* Attributes are at least this long in all kernels; a shorter one is not ours to read. */
static bool has_size(const struct nlattr *attr, size_t size)
{
	return mnl_attr_get_payload_len(attr) >= size;
}

static void take_unix_attribute(struct reading *reading, struct unix_diag *diag, const struct nlattr *attr)
{
	const void *data = mnl_attr_get_payload(attr);

	switch (mnl_attr_get_type(attr)) {
	case UNIX_DIAG_NAME:
		diag->name_size = mnl_attr_get_payload_len(attr);
		diag->name = copy_attribute(reading, attr);
		break;
	case UNIX_DIAG_VFS:
		if (has_size(attr, sizeof(struct unix_diag_vfs))) {
			diag->file_ino = ((const struct unix_diag_vfs *)data)->udiag_vfs_ino;
			diag->file_dev = ((const struct unix_diag_vfs *)data)->udiag_vfs_dev;
		}
		break;
	case UNIX_DIAG_PEER:
		diag->has_peer = true;
		diag->peer = mnl_attr_get_u32(attr);
		break;
	case UNIX_DIAG_ICONS:
		diag->n_waiting = mnl_attr_get_payload_len(attr) / sizeof(uint32_t);
		diag->waiting = copy_attribute(reading, attr);
		break;
	case UNIX_DIAG_RQLEN:
		if (has_size(attr, sizeof(struct unix_diag_rqlen))) {
			diag->rqueue = ((const struct unix_diag_rqlen *)data)->udiag_rqueue;
			diag->wqueue = ((const struct unix_diag_rqlen *)data)->udiag_wqueue;
		}
		break;
	case UNIX_DIAG_MEMINFO:
		if (has_size(attr, (SK_MEMINFO_SNDBUF + 1) * sizeof(uint32_t))) {
			diag->receive_buffer = ((const uint32_t *)data)[SK_MEMINFO_RCVBUF];
			diag->send_buffer = ((const uint32_t *)data)[SK_MEMINFO_SNDBUF];
		}
		break;
	case UNIX_DIAG_SHUTDOWN:
		diag->shutdown = mnl_attr_get_u8(attr);
		break;
	}
}

static int take_unix(void *arg, const struct nlmsghdr *message)
{
	const struct unix_diag_msg *head = mnl_nlmsg_get_payload(message);
	struct reading *reading = arg;
	struct unix_diag *diag = pool_new(reading->pool, struct unix_diag);
	const struct nlattr *attr;

	diag->ino = head->udiag_ino;
	diag->space = reading->space;
	diag->type = head->udiag_type;
	diag->state = head->udiag_state;
	mnl_attr_for_each(attr, message, sizeof(*head)) take_unix_attribute(reading, diag, attr);
	if (diag->ino)
		table_set(reading->by_ino, diag->ino, diag);
	for (unsigned i = 0; i < diag->n_waiting; i++)
		if (diag->waiting[i])
			table_set(reading->by_waiting, diag->waiting[i], diag);
	return 0;
}

int sockdiag_read_unix(struct netlink *netlink, struct pool *pool, uint32_t space, struct table *by_ino,
		       struct table *by_waiting)
{
	const struct unix_diag_req request = {
		.sdiag_family = AF_UNIX,
		.udiag_states = UINT32_MAX,
		.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN |
			      UDIAG_SHOW_MEMINFO,
	};

	return dump_family(netlink, &request, sizeof(request), take_unix,
			   &(struct reading){ pool, space, by_ino, by_waiting });
}

static void take_packet_ring(struct tpacket_req3 *to, bool *has, const struct nlattr *attr)
{
	const struct packet_diag_ring *ring = mnl_attr_get_payload(attr);

	if (!has_size(attr, sizeof(*ring)))
		return;
	*has = true;
	*to = (struct tpacket_req3){
		.tp_block_size = ring->pdr_block_size,
		.tp_block_nr = ring->pdr_block_nr,
		.tp_frame_size = ring->pdr_frame_size,
		.tp_frame_nr = ring->pdr_frame_nr,
		.tp_retire_blk_tov = ring->pdr_retire_tmo,
		.tp_sizeof_priv = ring->pdr_sizeof_priv,
		.tp_feature_req_word = ring->pdr_features,
	};
}

static void take_packet_info(struct packet_diag *diag, const struct nlattr *attr)
{
	const struct packet_diag_info *info = mnl_attr_get_payload(attr);

	if (!has_size(attr, sizeof(*info)))
		return;
	diag->ifindex = info->pdi_index;
	diag->version = info->pdi_version;
	diag->reserve = info->pdi_reserve;
	diag->copy_threshold = info->pdi_copy_thresh;
	diag->timestamp = info->pdi_tstamp;
	diag->aux_data = info->pdi_flags & PDI_AUXDATA;
	diag->orig_dev = info->pdi_flags & PDI_ORIGDEV;
	diag->vnet_hdr = info->pdi_flags & PDI_VNETHDR;
	diag->loss = info->pdi_flags & PDI_LOSS;
}

static void take_packet_members(struct reading *reading, struct packet_diag *diag, const struct nlattr *attr)
{
	const struct packet_diag_mclist *from = mnl_attr_get_payload(attr);

	diag->n_members = mnl_attr_get_payload_len(attr) / sizeof(*from);
	diag->members = pool_array(reading->pool, struct packet_membership, diag->n_members);
	for (unsigned i = 0; i < diag->n_members; i++) {
		struct packet_membership *to = &diag->members[i];

		to->ifindex = from[i].pdmc_index;
		to->count = from[i].pdmc_count;
		to->type = from[i].pdmc_type;
		to->size = from[i].pdmc_alen;
		memcpy(to->address, from[i].pdmc_addr, sizeof(to->address));
	}
}

static int take_packet(void *arg, const struct nlmsghdr *message)
{
	const struct packet_diag_msg *head = mnl_nlmsg_get_payload(message);
	struct reading *reading = arg;
	struct packet_diag *diag = pool_new(reading->pool, struct packet_diag);
	const struct nlattr *attr;

	diag->ino = head->pdiag_ino;
	diag->type = head->pdiag_type;
	diag->protocol = head->pdiag_num;
	mnl_attr_for_each(attr, message, sizeof(*head))
	{
		switch (mnl_attr_get_type(attr)) {
		case PACKET_DIAG_INFO:
			take_packet_info(diag, attr);
			break;
		case PACKET_DIAG_MCLIST:
			take_packet_members(reading, diag, attr);
			break;
		case PACKET_DIAG_RX_RING:
			take_packet_ring(&diag->rx, &diag->has_rx, attr);
			break;
		case PACKET_DIAG_TX_RING:
			take_packet_ring(&diag->tx, &diag->has_tx, attr);
			break;
		case PACKET_DIAG_FANOUT:
			diag->has_fanout = true;
			diag->fanout = mnl_attr_get_u32(attr);
			break;
		}
	}
	table_set(reading->by_ino, diag->ino, diag);
	return 0;
}

int sockdiag_read_packet(struct netlink *netlink, struct pool *pool, struct table *by_ino)
{
	const struct packet_diag_req request = {
		.sdiag_family = AF_PACKET,
		.pdiag_show = PACKET_SHOW_INFO | PACKET_SHOW_MCLIST | PACKET_SHOW_RING_CFG | PACKET_SHOW_FANOUT,
	};

	return dump_family(netlink, &request, sizeof(request), take_packet, &(struct reading){ pool, 0, by_ino, NULL });
}

static int take_netlink(void *arg, const struct nlmsghdr *message)
{
	const struct netlink_diag_msg *head = mnl_nlmsg_get_payload(message);
	struct reading *reading = arg;
	struct netlink_diag *diag = pool_new(reading->pool, struct netlink_diag);
	const struct nlattr *attr;

	if (!head->ndiag_ino) /* of the kernel */
		return 0;
	diag->ino = head->ndiag_ino;
	diag->protocol = head->ndiag_protocol;
	diag->state = head->ndiag_state;
	diag->portid = head->ndiag_portid;
	diag->dst_portid = head->ndiag_dst_portid;
	diag->dst_group = head->ndiag_dst_group;
	mnl_attr_for_each(attr, message, sizeof(*head))
	{
		switch (mnl_attr_get_type(attr)) {
		case NETLINK_DIAG_GROUPS:
			diag->n_groups = mnl_attr_get_payload_len(attr) / sizeof(uint32_t);
			diag->groups = copy_attribute(reading, attr);
			break;
		case NETLINK_DIAG_MEMINFO:
			if (has_size(attr, sizeof(uint32_t)))
				diag->rmem =
					((const uint32_t *)mnl_attr_get_payload(attr))[0]; /* SK_MEMINFO_RMEM_ALLOC */
			break;
		}
	}
	table_set(reading->by_ino, diag->ino, diag);
	return 0;
}

int sockdiag_read_netlink(struct netlink *netlink, struct pool *pool, struct table *by_ino)
{
	const struct netlink_diag_req request = {
		.sdiag_family = AF_NETLINK,
		.sdiag_protocol = NDIAG_PROTO_ALL,
		.ndiag_show = NDIAG_SHOW_GROUPS | NDIAG_SHOW_MEMINFO,
	};

	return dump_family(netlink, &request, sizeof(request), take_netlink,
			   &(struct reading){ pool, 0, by_ino, NULL });
}
