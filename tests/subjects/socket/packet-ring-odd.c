// SPDX-License-Identifier: GPL-2.0-only
/* A packet socket with a ring but without protocol still gets nothing; a ring that is mapped privately is still that of
 * its socket, and the page of it that the program has written to is the program's own. */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT()

#define ETHERTYPE 0x88b6
#define FRAME	  1024
#define FRAMES	  16
#define BLOCK	  4096

static int make_socket(int option)
{
	struct tpacket_req request = { BLOCK, FRAMES * FRAME / BLOCK, FRAME, FRAMES };
	int fd = must(socket(AF_PACKET, SOCK_DGRAM, 0)), version = TPACKET_V2;

	must(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)));
	must(setsockopt(fd, SOL_PACKET, option, &request, sizeof(request)));
	return fd;
}

static char *map(int fd)
{
	char *memory = mmap(NULL, FRAMES * FRAME, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	CHECK(memory != MAP_FAILED);
	return memory;
}

static void send_packet(int device)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE), .sll_ifindex = device, .sll_halen = 6
	};
	int fd = socket(AF_PACKET, SOCK_DGRAM, 0);

	CHECK(fd >= 0);
	CHECK_EQUAL(sendto(fd, "0123456789", 10, 0, (struct sockaddr *)&to, sizeof(to)), 10);
	close(fd);
}

static void wait_filled(const char *frame)
{
	while (!(((const volatile struct tpacket2_hdr *)frame)->tp_status & TP_STATUS_USER))
		sleep_ms(1);
}

int main(void)
{
	struct sockaddr_ll lo = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETHERTYPE),
				  .sll_ifindex = (int)if_nametoindex("lo") },
			   name;
	int silent = make_socket(PACKET_RX_RING), bound = make_socket(PACKET_RX_RING), both;
	char *quiet = map(silent), *loud = map(bound);
	struct tpacket_req request = { BLOCK, FRAMES * FRAME / BLOCK, FRAME, FRAMES };
	struct tpacket_stats stats;
	socklen_t size = sizeof(name);

	must(bind(bound, (struct sockaddr *)&lo, sizeof(lo)));
	/* Its page is a copy from now on: what comes into the last four frames is not seen. */
	strcpy(loud + 12 * FRAME, "mine");
	send_packet(lo.sll_ifindex);
	wait_filled(loud);
	both = make_socket(PACKET_RX_RING);
	must(setsockopt(both, SOL_PACKET, PACKET_TX_RING, &request, sizeof(request)));
	char *two = mmap(NULL, 2 * FRAMES * FRAME, PROT_READ, MAP_PRIVATE, both, 0);
	CHECK(two != MAP_FAILED);

	checkpoint();

	must(getsockname(silent, (struct sockaddr *)&name, &size));
	CHECK_EQUAL(name.sll_protocol, 0);
	CHECK_EQUAL(name.sll_ifindex, 0);
	CHECK(!strcmp(loud + 12 * FRAME, "mine"));
	for (int i = 1; i < 4; i++) {
		send_packet(lo.sll_ifindex);
		wait_filled(loud + i * FRAME);
	}
	for (int i = 0; i < FRAMES; i++)
		CHECK_EQUAL(((struct tpacket2_hdr *)(quiet + i * FRAME))->tp_status, TP_STATUS_KERNEL);
	size = sizeof(stats);
	must(getsockopt(silent, SOL_PACKET, PACKET_STATISTICS, &stats, &size));
	CHECK_EQUAL(stats.tp_packets, 0);
	must(bind(both, (struct sockaddr *)&lo, sizeof(lo)));
	send_packet(lo.sll_ifindex);
	wait_filled(two);
	return 0;
}
