// SPDX-License-Identifier: GPL-2.0-only
/* Packet sockets keep their device, filter, options, rings and memberships, and see packets again. */
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT()

static int option(int fd, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	must(getsockopt(fd, SOL_PACKET, name, &value, &size));
	return value;
}

static void set(int fd, int name, int value)
{
	must(setsockopt(fd, SOL_PACKET, name, &value, sizeof(value)));
}

static void send_datagram(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				       .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK_EQUAL(sendto(fd, "seen", 4, 0, (struct sockaddr *)&address, sizeof(address)), 4);
	close(fd);
}

int main(void)
{
	int plain = must(socket(AF_PACKET, SOCK_DGRAM, 0)), ring = must(socket(AF_PACKET, SOCK_RAW, 0));
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons(ETH_P_IP),
				       .sll_ifindex = (int)if_nametoindex("lo") },
			   now = { 0 };
	struct sock_filter accept_all[] = { { BPF_RET | BPF_K, 0, 0, 0xffff } }, got[4];
	struct sock_fprog program = { 1, accept_all };
	struct packet_mreq member = { .mr_ifindex = address.sll_ifindex, .mr_type = PACKET_MR_PROMISC };
	struct tpacket_req request = { 4096, 4, 2048, 8 };
	socklen_t size = sizeof(now);
	char text[64];

	must(setsockopt(plain, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
	set(plain, PACKET_AUXDATA, 1);
	must(setsockopt(plain, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &member, sizeof(member)));
	must(bind(plain, (struct sockaddr *)&address, sizeof(address)));
	set(ring, PACKET_VERSION, TPACKET_V2);
	must(setsockopt(ring, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)));

	checkpoint();

	must(getsockname(plain, (struct sockaddr *)&now, &size));
	CHECK_EQUAL(now.sll_protocol, htons(ETH_P_IP));
	CHECK_EQUAL(now.sll_ifindex, address.sll_ifindex);
	CHECK_EQUAL(option(plain, PACKET_AUXDATA), 1);
	size = 4;
	must(getsockopt(plain, SOL_SOCKET, SO_GET_FILTER, got, &size));
	CHECK_EQUAL(size, 1);
	CHECK(!memcmp(got, accept_all, sizeof(accept_all)));
	CHECK_EQUAL(setsockopt(plain, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &member, sizeof(member)), 0);
	send_datagram();
	CHECK(recv(plain, text, sizeof(text), 0) >= 32);
	CHECK(!memcmp(text + 28, "seen", 4));
	CHECK_EQUAL(option(ring, PACKET_VERSION), TPACKET_V2);
	/* The ring is there again: its size can be mapped. */
	CHECK(mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, 0) != MAP_FAILED);
	return 0;
}
