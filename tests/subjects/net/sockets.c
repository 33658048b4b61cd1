// SPDX-License-Identifier: GPL-2.0-only
/* Sockets of all families live in the network namespace of their task: addresses and abstract names that are only
 * there. */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "net.h"

SUBJECT(.options = "--tcp-established", .seconds = 30)

static const struct sockaddr_un abstract = { AF_UNIX, "\0the same in both" };
#define ABSTRACT_SIZE (offsetof(struct sockaddr_un, sun_path) + 17)

static int make_inet(int type, struct sockaddr_in *name)
{
	int fd = must(socket(AF_INET, type, 0));
	socklen_t size = sizeof(*name);

	*name = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = inet_addr("10.66.0.1") };
	must(bind(fd, (struct sockaddr *)name, size));
	must(getsockname(fd, (struct sockaddr *)name, &size));
	return fd;
}

static void check_stream(int from, int to)
{
	char text[6] = "";

	CHECK_EQUAL(send(from, "hello", 5, MSG_NOSIGNAL), 5);
	CHECK_EQUAL(recv(to, text, 5, MSG_WAITALL), 5);
	CHECK(!strcmp(text, "hello"));
}

int main(void)
{
	int outside = must(socket(AF_UNIX, SOCK_DGRAM, 0)), listener, client, server, udp, inside, packet, netlink,
	    index;
	struct sockaddr_in name, udp_name;
	struct sockaddr_ll ring = { .sll_family = AF_PACKET };
	struct sockaddr_nl port = { .nl_family = AF_NETLINK, .nl_pid = 4711 };
	char text[6] = "";
	int on = 1;

	/* One that stays behind in the namespace that we come from. */
	must(bind(outside, (const struct sockaddr *)&abstract, ABSTRACT_SIZE));
	prepare_network();
	run("ip addr add 10.66.0.1/24 dev lo");
	listener = make_inet(SOCK_STREAM, &name);
	must(listen(listener, 5));
	client = must(socket(AF_INET, SOCK_STREAM, 0));
	must(connect(client, (struct sockaddr *)&name, sizeof(name)));
	server = must(accept(listener, NULL, NULL));
	must(send(client, "early", 5, 0));
	udp = make_inet(SOCK_DGRAM, &udp_name);
	must(sendto(udp, "kept", 5, 0, (struct sockaddr *)&udp_name, sizeof(udp_name)));
	inside = must(socket(AF_UNIX, SOCK_DGRAM, 0));
	must(bind(inside, (const struct sockaddr *)&abstract, ABSTRACT_SIZE));
	packet = must(socket(AF_PACKET, SOCK_RAW, 0));
	index = ring.sll_ifindex = (int)if_nametoindex("lo");
	must(bind(packet, (struct sockaddr *)&ring, sizeof(ring)));
	netlink = must(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	must(bind(netlink, (struct sockaddr *)&port, sizeof(port)));
	must(setsockopt(udp, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));

	checkpoint();

	CHECK_EQUAL(recv(server, text, 5, MSG_WAITALL), 5);
	CHECK(!strcmp(text, "early"));
	check_stream(client, server);
	check_stream(server, client);
	CHECK_EQUAL(sendto(client = socket(AF_INET, SOCK_DGRAM, 0), "datum", 5, 0, (struct sockaddr *)&udp_name,
			   sizeof(udp_name)),
		    5);
	CHECK_EQUAL(recv(udp, text, 5, 0), 5);
	CHECK(!strcmp(text, "kept"));
	CHECK_EQUAL(recv(udp, text, 5, 0), 5);
	CHECK(!strcmp(text, "datum"));
	/* Each of the two is found from its own namespace. */
	CHECK_EQUAL(sendto(socket(AF_UNIX, SOCK_DGRAM, 0), "inner", 5, 0, (const struct sockaddr *)&abstract,
			   ABSTRACT_SIZE),
		    5);
	CHECK_EQUAL(recv(inside, text, 5, MSG_DONTWAIT), 5);
	CHECK(!strcmp(text, "inner"));
	CHECK(recv(outside, text, 5, MSG_DONTWAIT) < 0);
	CHECK_EQUAL(sendto(outside, "outer", 5, 0, (const struct sockaddr *)&abstract, ABSTRACT_SIZE), 5);
	CHECK_EQUAL(recv(outside, text, 5, MSG_DONTWAIT), 5);
	CHECK_EQUAL((int)if_nametoindex("lo"), index);
	return 0;
}
