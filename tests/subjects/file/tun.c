// SPDX-License-Identifier: GPL-2.0-only
/* A tun device with address, route and a program behind it, tap devices with queues of which some are switched
 * off, and a tun file without a device. */
#include <arpa/inet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT()

static int control;

static int make(const char *name, int flags)
{
	struct ifreq request = { .ifr_flags = (short)flags };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	if (fd < 0)
		skip("/dev/net/tun: %s", strerror(errno));
	strcpy(request.ifr_name, name);
	if (name[0])
		must(ioctl(fd, TUNSETIFF, &request));
	return fd;
}

static int turn(int fd, int flags)
{
	struct ifreq request = { .ifr_flags = (short)flags };

	return ioctl(fd, TUNSETQUEUE, &request);
}

static struct ifreq request_for(const char *name)
{
	struct ifreq request = { 0 };

	strcpy(request.ifr_name, name);
	return request;
}

static void set_address(const char *name, unsigned long what, const char *address)
{
	struct ifreq request = request_for(name);
	struct sockaddr_in *in = (void *)&request.ifr_addr;

	in->sin_family = AF_INET;
	in->sin_addr.s_addr = inet_addr(address);
	must(ioctl(control, what, &request));
}

static void add_route(const char *to, const char *by)
{
	struct rtentry route = { .rt_flags = RTF_UP | RTF_GATEWAY };

	((struct sockaddr_in *)&route.rt_dst)->sin_family = AF_INET;
	((struct sockaddr_in *)&route.rt_dst)->sin_addr.s_addr = inet_addr(to);
	((struct sockaddr_in *)&route.rt_genmask)->sin_family = AF_INET;
	((struct sockaddr_in *)&route.rt_genmask)->sin_addr.s_addr = inet_addr("255.255.0.0");
	((struct sockaddr_in *)&route.rt_gateway)->sin_family = AF_INET;
	((struct sockaddr_in *)&route.rt_gateway)->sin_addr.s_addr = inet_addr(by);
	must(ioctl(control, SIOCADDRT, &route));
}

static struct ifreq ask(const char *name, unsigned long what)
{
	struct ifreq request = request_for(name);

	must(ioctl(control, what, &request));
	return request;
}

/* What the program sends to the address comes out of the tun file. */
static void check_goes_out(int tun, int socket_, const char *to)
{
	struct sockaddr_in address = { AF_INET, htons(9), { inet_addr(to) }, { 0 } };
	char packet[2000];
	struct iphdr *ip = (void *)packet;

	CHECK_EQUAL(sendto(socket_, "hello", 5, 0, (void *)&address, sizeof(address)), 5);
	for (;;) {
		ssize_t got;

		CHECK_EQUAL(poll(&(struct pollfd){ .fd = tun, .events = POLLIN }, 1, 60000), 1);
		got = read(tun, packet, sizeof(packet));
		if (ip->version == 4 && ip->daddr == address.sin_addr.s_addr && got == 33)
			return;
	}
}

/* What the program writes into the file arrives. */
static void check_comes_in(int tun, int bound, const struct sockaddr_in *own)
{
	char got[16];
	struct {
		struct iphdr ip;
		struct udphdr udp;
		char text[4];
	} packet = {
		.ip = { .version = 4,
			.ihl = 5,
			.tot_len = htons(32),
			.ttl = 9,
			.protocol = IPPROTO_UDP,
			.saddr = inet_addr("10.9.8.2"),
			.daddr = own->sin_addr.s_addr },
		.udp = { .source = htons(5), .dest = own->sin_port, .len = htons(12) },
		.text = "abc",
	};
	uint32_t sum = 0;
	for (int i = 0; i < 10; i++)
		sum += ((uint16_t *)&packet.ip)[i];
	packet.ip.check = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
	CHECK_EQUAL(write(tun, &packet, 32), 32);
	CHECK_EQUAL(poll(&(struct pollfd){ .fd = bound, .events = POLLIN }, 1, 60000), 1);
	CHECK_EQUAL(recv(bound, got, sizeof(got), 0), 4);
}

int main(void)
{
	struct sockaddr_in own = { AF_INET, htons(777), { inet_addr("10.9.8.1") }, { 0 } };

	control = must(socket(AF_INET, SOCK_DGRAM, 0));
	int bound = must(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)), tun = make("tunA", IFF_TUN | IFF_NO_PI);
	int tap = make("tapB", IFF_TAP | IFF_MULTI_QUEUE | IFF_VNET_HDR),
	    queue = make("tapB", IFF_TAP | IFF_MULTI_QUEUE | IFF_VNET_HDR);
	int off = make("tapB", IFF_TAP | IFF_MULTI_QUEUE | IFF_VNET_HDR),
	    alone = make("tapC", IFF_TAP | IFF_MULTI_QUEUE);
	int bare = make("", 0), copy = must(dup(tun));
	struct ifreq mtu = request_for("tunA"), up = request_for("tunA"), hardware = ask("tapB", SIOCGIFHWADDR);
	int header = 12;

	set_address("tunA", SIOCSIFADDR, "10.9.8.1");
	set_address("tunA", SIOCSIFNETMASK, "255.255.255.0");
	mtu.ifr_mtu = 1234;
	must(ioctl(control, SIOCSIFMTU, &mtu));
	up.ifr_flags = IFF_UP | IFF_NOARP;
	must(ioctl(control, SIOCSIFFLAGS, &up));
	add_route("10.77.0.0", "10.9.8.2");
	must(ioctl(tap, TUNSETVNETHDRSZ, &header));
	must(ioctl(tap, TUNSETOWNER, 1234L));
	must(bind(bound, (void *)&own, sizeof(own)));
	int index = ask("tunA", SIOCGIFINDEX).ifr_ifindex;

	must(turn(off, IFF_DETACH_QUEUE));
	must(turn(alone, IFF_DETACH_QUEUE));

	checkpoint();

	CHECK_EQUAL(ask("tunA", SIOCGIFINDEX).ifr_ifindex, index);
	CHECK_EQUAL(ask("tunA", SIOCGIFMTU).ifr_mtu, 1234);
	CHECK(ask("tunA", SIOCGIFFLAGS).ifr_flags & IFF_UP);
	check_goes_out(tun, control, "10.9.8.7");
	check_goes_out(copy, control, "10.77.1.1");
	check_comes_in(tun, bound, &own);
	struct ifreq now = ask("tapB", SIOCGIFHWADDR);
	CHECK(!memcmp(now.ifr_hwaddr.sa_data, hardware.ifr_hwaddr.sa_data, 6));
	CHECK(!(ask("tapB", SIOCGIFFLAGS).ifr_flags & IFF_UP));
	CHECK_EQUAL(ioctl(tap, TUNGETVNETHDRSZ, &header), 0);
	CHECK_EQUAL(header, 12);
	must(ioctl(queue, TUNGETIFF, &now));
	CHECK(!strcmp(now.ifr_name, "tapB") && now.ifr_flags & IFF_MULTI_QUEUE);
	CHECK_EQUAL(ioctl(bare, TUNGETIFF, &now), -1);
	must(ioctl(off, TUNGETIFF, &now));
	CHECK(!strcmp(now.ifr_name, "tapB"));
	CHECK_EQUAL(turn(off, IFF_DETACH_QUEUE), -1);
	CHECK_EQUAL(turn(off, IFF_ATTACH_QUEUE), 0);
	CHECK_EQUAL(turn(queue, IFF_ATTACH_QUEUE), -1);
	CHECK_EQUAL(turn(queue, IFF_DETACH_QUEUE), 0);
	must(ioctl(alone, TUNGETIFF, &now));
	CHECK(!strcmp(now.ifr_name, "tapC"));
	CHECK_EQUAL(turn(alone, IFF_ATTACH_QUEUE), 0);
	must(close(tun));
	must(close(copy));
	CHECK_EQUAL(if_nametoindex("tunA"), 0);
	return 0;
}
