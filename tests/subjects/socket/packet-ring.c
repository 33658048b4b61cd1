// SPDX-License-Identifier: GPL-2.0-only
/* Mapped rings of packet sockets go on at the frame or block where they were, with what waited in them. */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT()

#define ETHERTYPE  0x88b6
#define BLOCK_SIZE 8192
#define BLOCKS	   4
#define FRAME_SIZE 2048
#define FRAMES	   (BLOCKS * BLOCK_SIZE / FRAME_SIZE)

struct ring {
	int fd, version;
	char *bytes;
	unsigned next; /* frame or block that is read next */
};

static struct ring build(int version)
{
	struct ring ring = { .fd = must(socket(AF_PACKET, SOCK_DGRAM, 0)), .version = version };
	struct sockaddr_ll here = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(ETHERTYPE),
				    .sll_ifindex = (int)if_nametoindex("lo") };
	struct tpacket_req3 request = { BLOCK_SIZE, BLOCKS, FRAME_SIZE, FRAMES, 20, 0, 0 };

	must(setsockopt(ring.fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)));
	must(setsockopt(ring.fd, SOL_PACKET, PACKET_RX_RING, &request,
			version == TPACKET_V3 ? sizeof(request) : sizeof(struct tpacket_req)));
	ring.bytes = mmap(NULL, BLOCKS * BLOCK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, 0);
	CHECK(ring.bytes != MAP_FAILED);
	must(bind(ring.fd, (struct sockaddr *)&here, sizeof(here)));
	return ring;
}

static void send_packet(unsigned number)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETHERTYPE),
				  .sll_ifindex = (int)if_nametoindex("lo"),
				  .sll_halen = 6 };
	int fd = socket(AF_PACKET, SOCK_DGRAM, 0);
	char packet[64] = "";

	CHECK(fd >= 0);
	memcpy(packet, &number, sizeof(number));
	CHECK_EQUAL(sendto(fd, packet, sizeof(packet), 0, (struct sockaddr *)&to, sizeof(to)), sizeof(packet));
	close(fd);
}

static void wait_status(const volatile uint32_t *status)
{
	while (!(*status & TP_STATUS_USER))
		sleep_ms(1);
}

/* The number in the next packet, which must be the only one of its block. */
static unsigned receive(struct ring *ring)
{
	unsigned number;

	if (ring->version == TPACKET_V3) {
		struct tpacket_block_desc *block = (void *)(ring->bytes + ring->next * BLOCK_SIZE);
		struct tpacket3_hdr *packet;

		wait_status(&block->hdr.bh1.block_status);
		CHECK_EQUAL(block->hdr.bh1.num_pkts, 1);
		packet = (void *)((char *)block + block->hdr.bh1.offset_to_first_pkt);
		memcpy(&number, (char *)packet + packet->tp_mac, sizeof(number));
		block->hdr.bh1.block_status = TP_STATUS_KERNEL;
		ring->next = (ring->next + 1) % BLOCKS;
	} else if (ring->version == TPACKET_V2) {
		struct tpacket2_hdr *packet = (void *)(ring->bytes + ring->next * FRAME_SIZE);

		wait_status(&packet->tp_status);
		memcpy(&number, (char *)packet + packet->tp_mac, sizeof(number));
		packet->tp_status = TP_STATUS_KERNEL;
		ring->next = (ring->next + 1) % FRAMES;
	} else {
		struct tpacket_hdr *packet = (void *)(ring->bytes + ring->next * FRAME_SIZE);

		wait_status((uint32_t *)&packet->tp_status);
		memcpy(&number, (char *)packet + packet->tp_mac, sizeof(number));
		packet->tp_status = TP_STATUS_KERNEL;
		ring->next = (ring->next + 1) % FRAMES;
	}
	return number;
}

/* The kernel hands a block over after a while. */
static void wait_block(const struct ring *ring, unsigned ahead)
{
	struct tpacket_block_desc *block = (void *)(ring->bytes + (ring->next + ahead) % BLOCKS * BLOCK_SIZE);

	wait_status(&block->hdr.bh1.block_status);
}

int main(void)
{
	struct ring rings[] = { build(TPACKET_V1), build(TPACKET_V2), build(TPACKET_V3) };
	struct ring empty = build(TPACKET_V2);
	struct sockaddr_ll other = { .sll_family = AF_PACKET,
				     .sll_protocol = htons(0x88b7),
				     .sll_ifindex = (int)if_nametoindex("lo") };

	must(bind(empty.fd, (struct sockaddr *)&other, sizeof(other)));
	for (unsigned i = 0; i < BLOCKS + 2; i++) { /* once around the blocks */
		send_packet(i);
		for (int k = 0; k < 3; k++)
			CHECK_EQUAL(receive(&rings[k]), i);
	}
	send_packet(100);
	wait_block(&rings[2], 0);
	send_packet(101);
	wait_block(&rings[2], 1);

	checkpoint();

	for (int k = 0; k < 3; k++) {
		CHECK_EQUAL(receive(&rings[k]), 100);
		CHECK_EQUAL(receive(&rings[k]), 101);
	}
	for (unsigned i = 200; i < 220; i++) {
		send_packet(i);
		for (int k = 0; k < 3; k++)
			CHECK_EQUAL(receive(&rings[k]), i);
	}
	CHECK_EQUAL(((struct tpacket2_hdr *)empty.bytes)->tp_status, TP_STATUS_KERNEL);
	other.sll_protocol = htons(ETHERTYPE);
	CHECK_EQUAL(bind(empty.fd, (struct sockaddr *)&other, sizeof(other)), 0);
	send_packet(300);
	CHECK_EQUAL(receive(&empty), 300);
	return 0;
}
