/* SPDX-License-Identifier: GPL-2.0-only */
/* Packet sockets: device, rings, memberships, fanout. Packets that wait are lost, as on a busy device. */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "kern/net/sockdiag.h"
#include "object/file/file.h"
#include "object/socket/options.h"
#include "object/socket/packet/ring.h"
#include "object/socket/socket.h"
#include "packet-sock.pb-c.h"
#include "session/loss.h"

#define NO_FANOUT   UINT32_MAX
#define ADDRESS_MAX 32 /* MAX_ADDR_LEN of the kernel; struct packet_mreq has room for 8 only */

/* Options of packet(7) that are numbers, in the order in which they have to be set: the version decides how the rings
 * look. */
static const struct packet_option {
	const char *name;
	int option;
	size_t member;
	bool is_bool;
} packet_options[] = {
#define NUMBER(option, member)                                            \
	{                                                                 \
#option, option, offsetof(PacketSockEntry, member), false \
	}
#define BOOL(option, member)                                             \
	{                                                                \
#option, option, offsetof(PacketSockEntry, member), true \
	}
	NUMBER(PACKET_VERSION, version),     NUMBER(PACKET_RESERVE, reserve), BOOL(PACKET_AUXDATA, aux_data),
	BOOL(PACKET_ORIGDEV, orig_dev),	     BOOL(PACKET_VNET_HDR, vnet_hdr), BOOL(PACKET_LOSS, loss),
	NUMBER(PACKET_TIMESTAMP, timestamp),
#undef NUMBER
#undef BOOL
};

#define N_OPTIONS (ARRAY_SIZE(packet_options))

static bool is_packet(const struct open_file *of)
{
	return socket_is_family(of, AF_PACKET);
}

static struct socket_options options_of(const PacketSockEntry *entry)
{
	return (struct socket_options){ AF_PACKET, (int)entry->type, 0, .common = entry->opts };
}

/* --- dump --- */

static int read_options(int fd, PacketSockEntry *entry)
{
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct packet_option *option = &packet_options[i];
		char *member = (char *)entry + option->member;
		uint32_t value = 0;
		socklen_t size = sizeof(value);

		if (getsockopt(fd, SOL_PACKET, option->option, &value, &size) < 0)
			return fail_errno("cannot read the socket option %s", option->name);
		if (option->is_bool)
			*(protobuf_c_boolean *)member = value != 0;
		else
			*(uint32_t *)member = value;
	}
	return 0;
}

static PacketRing *dump_ring(const struct tpacket_req3 *from, struct pool *pool)
{
	PacketRing *ring = pool_new(pool, PacketRing);

	packet_ring__init(ring);
	ring->block_size = from->tp_block_size;
	ring->block_nr = from->tp_block_nr;
	ring->frame_size = from->tp_frame_size;
	ring->frame_nr = from->tp_frame_nr;
	ring->retire_tmo = from->tp_retire_blk_tov;
	ring->sizeof_priv = from->tp_sizeof_priv;
	ring->features = from->tp_feature_req_word;
	return ring;
}

/* What only the kernel's table tells. */
static void take_table(const struct packet_diag *diag, PacketSockEntry *entry, struct pool *pool)
{
	unsigned total = 0;

	entry->copy_thresh = diag->copy_threshold;
	entry->has_fanout = diag->has_fanout;
	entry->fanout = diag->has_fanout ? diag->fanout : NO_FANOUT;
	if (diag->has_rx)
		entry->rx_ring = dump_ring(&diag->rx, pool);
	if (diag->has_tx)
		entry->tx_ring = dump_ring(&diag->tx, pool);
	for (unsigned i = 0; i < diag->n_members; i++)
		total += diag->members[i].count;
	entry->mclist = pool_array(pool, PacketMclist *, total);
	for (unsigned i = 0; i < diag->n_members; i++) {
		const struct packet_membership *from = &diag->members[i];
		PacketMclist *to = pool_new(pool, PacketMclist);

		packet_mclist__init(to);
		to->index = from->ifindex;
		to->type = from->type;
		to->addr.len = from->size < sizeof(from->address) ? from->size : sizeof(from->address);
		to->addr.data = pool_copy(pool, from->address, to->addr.len);
		for (unsigned n = from->count; n; n--)
			entry->mclist[entry->n_mclist++] = to;
	}
}

/* Nobody is shown it. */
static void tell_fanout(const struct dump *d, const PacketSockEntry *entry)
{
	const uint32_t type = entry->fanout >> 16 & UINT8_MAX;

	if (entry->has_fanout && entry->fanout != NO_FANOUT &&
	    (type == PACKET_FANOUT_CBPF || type == PACKET_FANOUT_EBPF))
		dump_report_loss(d,
				 "the program that chooses among the sockets of its fanout group (PACKET_FANOUT_DATA), "
				 "if there is one");
}

static int dump_packet(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	PacketSockEntry *entry = out->psk;
	struct sockaddr_ll address = { 0 };
	socklen_t size = sizeof(address);
	const struct packet_diag *diag;
	struct socket_identity identity;
	struct socket_options options;

	TRY(socket_identify(of, &identity));
	if (identity.type != SOCK_RAW && identity.type != SOCK_DGRAM)
		return refuse(EOPNOTSUPP, "a packet socket of type %d cannot be saved", identity.type);
	TRY(socket_find_packet(d, of->stat.st_ino, &diag));
	if (!diag)
		return refuse(EOPNOTSUPP, "this kernel does not tell about packet sockets (CONFIG_PACKET_DIAG)");
	if (getsockname(of->fd, (struct sockaddr *)&address, &size) < 0)
		return fail_errno("cannot ask for the address of the packet socket");
	entry->id = of->id;
	entry->type = identity.type;
	entry->protocol = address.sll_protocol;
	entry->ifindex = address.sll_ifindex;
	entry->flags = of->flags;
	entry->fown = of->owner;
	entry->opts = socket_new_options(d->pool);
	entry->has_ns_id = true;
	TRY(socket_namespace_id(d, of, 0, &entry->ns_id));
	TRY(read_options(of->fd, entry));
	take_table(diag, entry, d->pool);
	TRY(packet_ring_dump(of->fd, entry, d->pool));
	options = options_of(entry);
	tell_fanout(d, entry);
	return socket_options_dump(d, of, &options);
}

/* --- restore --- */

static int load_packet(const struct restore *r, struct file *f)
{
	const PacketSockEntry *entry = f->entry->psk;

	if (entry->type != SOCK_RAW && entry->type != SOCK_DGRAM)
		return refuse(EINVAL, "type %u of a packet socket is unknown", entry->type);
	for (size_t i = 0; i < entry->n_mclist; i++)
		if (entry->mclist[i]->addr.len > ADDRESS_MAX)
			return refuse(EINVAL, "a membership has an address of %zu bytes", entry->mclist[i]->addr.len);
	return packet_ring_check(entry);
}

static int set_options(int fd, const PacketSockEntry *entry)
{
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct packet_option *option = &packet_options[i];
		const char *member = (const char *)entry + option->member;
		uint32_t value =
			option->is_bool ? (uint32_t) * (const protobuf_c_boolean *)member : *(const uint32_t *)member;

		if (value && setsockopt(fd, SOL_PACKET, option->option, &value, sizeof(value)) < 0)
			return fail_errno("cannot set the socket option %s to %u", option->name, value);
	}
	if (entry->copy_thresh &&
	    setsockopt(fd, SOL_PACKET, PACKET_COPY_THRESH, &entry->copy_thresh, sizeof(entry->copy_thresh)) < 0)
		return fail_errno("cannot set the socket option PACKET_COPY_THRESH");
	return 0;
}

static int make_ring(int fd, int option, const PacketRing *ring, uint32_t version)
{
	struct tpacket_req3 request;

	if (!ring)
		return 0;
	request = (struct tpacket_req3){ ring->block_size, ring->block_nr,    ring->frame_size, ring->frame_nr,
					 ring->retire_tmo, ring->sizeof_priv, ring->features };
	/* The first four members are the whole of it before version 3. */
	if (setsockopt(fd, SOL_PACKET, option, &request,
		       version == TPACKET_V3 ? sizeof(request) : sizeof(struct tpacket_req)) < 0)
		return fail_errno("cannot make a ring of %u blocks of %u bytes", ring->block_nr, ring->block_size);
	return 0;
}

static int join_groups(int fd, const PacketSockEntry *entry)
{
	for (size_t i = 0; i < entry->n_mclist; i++) {
		const PacketMclist *from = entry->mclist[i];
		struct {
			int ifindex;
			unsigned short type, size;
			unsigned char address[ADDRESS_MAX];
		} request = { (int)from->index, from->type, from->addr.len, { 0 } };

		memcpy(request.address, from->addr.data, from->addr.len);
		if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request)) < 0)
			return fail_errno("cannot join a group of type %u on network device %u", from->type,
					  from->index);
	}
	return 0;
}

static int bind_device(int fd, const PacketSockEntry *entry)
{
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = entry->protocol,
		.sll_ifindex = (int)entry->ifindex,
	};

	if (!entry->protocol && !entry->ifindex)
		return 0;
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return fail_errno("cannot bind a packet socket to network device %u, protocol 0x%x", entry->ifindex,
				  ntohs(entry->protocol));
	return 0;
}

/* Everything is set before the first packet comes in: a socket of protocol 0 gets none. */
static int create_packet(struct restore *r, struct file *f)
{
	const PacketSockEntry *entry = f->entry->psk;
	struct socket_options options = options_of(entry);
	AUTO_CLOSE int fd = socket(AF_PACKET, (int)entry->type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fail_errno("cannot make a packet socket");
	TRY(socket_options_apply(fd, &options, OPTION_EARLY));
	TRY(set_options(fd, entry));
	TRY(make_ring(fd, PACKET_RX_RING, entry->rx_ring, entry->version));
	TRY(make_ring(fd, PACKET_TX_RING, entry->tx_ring, entry->version));
	TRY(packet_ring_restore(fd, entry));
	TRY(socket_options_apply(fd, &options, OPTION_LATE));
	TRY(socket_options_apply(fd, &options, OPTION_LAST));
	TRY(join_groups(fd, entry));
	TRY(bind_device(fd, entry));
	if (entry->has_fanout && entry->fanout != NO_FANOUT &&
	    setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &entry->fanout, sizeof(entry->fanout)) < 0)
		return fail_errno("cannot join the fanout group 0x%x", entry->fanout);
	TRY(file_apply_flags(fd, entry->flags, entry->fown));
	f->fd = TAKE_FD(fd);
	return socket_set_user(r, f);
}

const struct file_kind packet_kind = {
	.name = "packet socket",
	.type = FD_TYPES__PACKETSK,
	.entry = offsetof(FileEntry, psk),
	.format = S_IFSOCK,
	.is = is_packet,
	.dump = dump_packet,
	.load = load_packet,
	.create = create_packet,
};
