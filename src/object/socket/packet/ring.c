/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is in the rings of a packet socket. A program remembers which frame (TPACKET_V3: block) comes next, and so does
 * the kernel: a new ring begins at the first one, so it is made to go on to where the old one was, with packets of our
 * own on the loopback device.
 */
#include "object/socket/packet/ring.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/deadline.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/log.h"
#include "base/pool.h"

#define CONTENT_MAX (32u << 20) /* bytes that go into the record */
#define ETHERTYPE   0x88b5	/* IEEE: for local experiments */
#define FILL_MAX    60000	/* bytes of one packet; the loopback device takes 65536 */

static size_t size_of(const PacketRing *ring)
{
	return ring ? (size_t)ring->block_size * ring->block_nr : 0;
}

/* The whole of both rings, the one that receives first; as packet(7) maps them. */
struct view {
	char *bytes;
	size_t size;
};

static void unmap_ring(struct view *view)
{
	if (view->bytes)
		munmap(view->bytes, view->size);
}

static int map_ring(int fd, const PacketSockEntry *entry, struct view *view)
{
	void *bytes;

	view->size = size_of(entry->rx_ring) + size_of(entry->tx_ring);
	bytes = mmap(NULL, view->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		return fail_errno("cannot map the rings of a packet socket");
	view->bytes = bytes;
	return 0;
}

static char *frame_at(char *bytes, const PacketRing *ring, uint32_t i)
{
	uint32_t in_block = ring->block_size / ring->frame_size;

	return bytes + (size_t)(i / in_block) * ring->block_size + (size_t)(i % in_block) * ring->frame_size;
}

static struct tpacket_block_desc *block_at(char *bytes, const PacketRing *ring, uint32_t i)
{
	return (struct tpacket_block_desc *)(bytes + (size_t)i * ring->block_size);
}

/* --- dump --- */

/* When the frame was filled; 0 = never. */
static uint64_t frame_time(const char *frame, uint32_t version)
{
	const struct tpacket2_hdr *v2 = (const void *)frame;
	const struct tpacket_hdr *v1 = (const void *)frame;

	return version == TPACKET_V2 ? v2->tp_sec * 1000000000ull + v2->tp_nsec : v1->tp_sec * 1000000ull + v1->tp_usec;
}

/* Times rise along the ring; where they fall most, the oldest frame is next. */
static uint32_t find_frame(char *bytes, const PacketRing *ring, uint32_t version)
{
	uint64_t last = frame_time(frame_at(bytes, ring, ring->frame_nr - 1), version), largest = 0;
	uint32_t next = 0;

	for (uint32_t i = 0; i < ring->frame_nr; i++) {
		uint64_t time = frame_time(frame_at(bytes, ring, i), version);

		if (time < last && last - time > largest) {
			largest = last - time;
			next = i;
		}
		last = time;
	}
	return next;
}

/* Each block gets the next number when the kernel begins to fill it. */
static uint32_t find_block(char *bytes, const PacketRing *ring)
{
	uint32_t newest = 0;

	for (uint32_t i = 1; i < ring->block_nr; i++)
		if ((int64_t)(block_at(bytes, ring, i)->hdr.bh1.seq_num -
			      block_at(bytes, ring, newest)->hdr.bh1.seq_num) > 0)
			newest = i;
	return newest;
}

int packet_ring_dump(int fd, PacketSockEntry *entry, struct pool *pool)
{
	AUTO(unmap_ring) struct view view = { 0 };
	PacketRing *ring = entry->rx_ring;

	if (entry->tx_ring)
		log_warn("The ring by which a packet socket sends will begin at its first frame; what waits in it is "
			 "lost");
	if (!ring || !ring->frame_nr || !ring->block_nr)
		return 0;
	TRY(map_ring(fd, entry, &view));
	/* The kernel goes on filling it: the position must belong to the bytes. */
	ring->content.len = size_of(ring);
	ring->content.data = pool_copy(pool, view.bytes, size_of(ring));
	ring->has_next = true;
	ring->next = entry->version == TPACKET_V3 ? find_block((char *)ring->content.data, ring)
						  : find_frame((char *)ring->content.data, ring, entry->version);
	ring->has_content = ring->content.len <= CONTENT_MAX;
	if (!ring->has_content)
		log_warn("Packets that wait unread in a ring of %zu bytes will be lost", ring->content.len);
	return 0;
}

/* --- restore --- */

int packet_ring_check(const PacketSockEntry *entry)
{
	const PacketRing *ring = entry->rx_ring;

	if (!ring || !ring->has_next)
		return 0;
	/* bind(2) never takes a protocol away again: without one no packet has ever come in, and none may now. */
	if (ring->next && !entry->protocol)
		return refuse(EINVAL, "a packet socket without protocol cannot have packets in its ring");
	if (!ring->frame_size || ring->block_size < ring->frame_size || !ring->block_nr ||
	    ring->next >= (entry->version == TPACKET_V3 ? ring->block_nr : ring->frame_nr) ||
	    ring->frame_nr != (uint64_t)(ring->block_size / ring->frame_size) * ring->block_nr ||
	    (ring->has_content && ring->content.len != size_of(ring)))
		return refuse(EINVAL, "its ring makes no sense");
	return 0;
}

/* Something has come into the frame; of a block: and it is given to us, because it is full or after a while. */
static bool is_filled(const struct view *view, const PacketSockEntry *entry, uint32_t i, bool whole)
{
	const PacketRing *ring = entry->rx_ring;

	if (entry->version == TPACKET_V3) {
		volatile struct tpacket_hdr_v1 *block = &block_at(view->bytes, ring, i)->hdr.bh1;

		return block->block_status & TP_STATUS_USER || (!whole && block->num_pkts);
	}
	if (entry->version == TPACKET_V2)
		return ((volatile struct tpacket2_hdr *)frame_at(view->bytes, ring, i))->tp_status & TP_STATUS_USER;
	return ((volatile struct tpacket_hdr *)frame_at(view->bytes, ring, i))->tp_status & TP_STATUS_USER;
}

static int wait_filled(const struct view *view, const PacketSockEntry *entry, uint32_t i, bool whole)
{
	struct deadline soon = deadline_in_seconds(GRACE_PACKET_RING_S + entry->rx_ring->retire_tmo / 1000);

	for (unsigned tries = 0; !is_filled(view, entry, i, whole); tries++) {
		if (deadline_passed(&soon))
			return -ETIMEDOUT;
		if (tries > 10)
			poll(NULL, 0, 1);
	}
	return 0;
}

/* One packet fills a frame; two do not fit into a block. */
static int fill_frame(int sender, int device, const struct view *view, const PacketSockEntry *entry)
{
	const PacketRing *ring = entry->rx_ring;
	const struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE), .sll_ifindex = device, .sll_halen = 6
	};
	size_t size = entry->version != TPACKET_V3	? 64
		      : ring->block_size < 2 * FILL_MAX ? ring->block_size / 2
							: FILL_MAX;
	AUTO_FREE char *packet = xzalloc(size);
	int result = 0;

	for (uint32_t i = 0; i < ring->next && result >= 0; i++) {
		if (sendto(sender, packet, size, 0, (const struct sockaddr *)&to, sizeof(to)) < 0)
			return -errno;
		result = wait_filled(view, entry, i, i + 1 == ring->next);
	}
	return result;
}

/* Only sockets that watch everything see these packets. */
static int go_on(int fd, const struct view *view, const PacketSockEntry *entry)
{
	struct sockaddr_ll here = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(ETHERTYPE),
				    .sll_ifindex = (int)if_nametoindex("lo") };
	AUTO_CLOSE int sender = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result;

	if (sender < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0)
		return -errno;
	result = fill_frame(sender, here.sll_ifindex, view, entry);
	here.sll_protocol = 0;
	here.sll_ifindex = 0;
	if (bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0)
		return -errno;
	return result;
}

/* The kernel has begun to count blocks anew: the others get numbers that go before. */
static void number_blocks(const struct view *view, const PacketRing *ring)
{
	uint64_t now = block_at(view->bytes, ring, ring->next)->hdr.bh1.seq_num;
	uint64_t then = block_at((char *)ring->content.data, ring, ring->next)->hdr.bh1.seq_num;

	for (uint32_t i = 0; i < ring->block_nr; i++)
		if (i != ring->next)
			block_at(view->bytes, ring, i)->hdr.bh1.seq_num += now - then;
}

/* The block that the kernel fills at the moment stays its own. */
static void put_content(const struct view *view, const PacketSockEntry *entry)
{
	const PacketRing *ring = entry->rx_ring;

	for (uint32_t i = 0; i < ring->block_nr; i++) {
		size_t at = (size_t)i * ring->block_size;

		if (entry->version == TPACKET_V3 && i == ring->next)
			continue;
		if (ring->has_content)
			memcpy(view->bytes + at, ring->content.data + at, ring->block_size);
		else
			memset(view->bytes + at, 0, ring->block_size);
	}
	if (entry->version == TPACKET_V3 && ring->has_content)
		number_blocks(view, ring);
}

int packet_ring_restore(int fd, const PacketSockEntry *entry)
{
	AUTO(unmap_ring) struct view view = { 0 };
	int result;

	if (!entry->rx_ring || !entry->rx_ring->has_next)
		return 0;
	TRY(map_ring(fd, entry, &view));
	result = entry->rx_ring->next ? go_on(fd, &view, entry) : 0;
	if (result < 0)
		log_warn("A ring begins at its first frame, not at %u where it was: %s", entry->rx_ring->next,
			 strerror(-result));
	put_content(&view, entry);
	return 0;
}
