// SPDX-License-Identifier: GPL-2.0-only
/* UDP, UDP-Lite, ping and raw sockets keep their addresses, peers and options. */
#include <arpa/inet.h>
#include <linux/icmp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

static struct sockaddr_in6 name_of(int fd, bool peer)
{
	struct sockaddr_in6 address = { 0 };
	socklen_t size = sizeof(address);

	must(peer ? getpeername(fd, (struct sockaddr *)&address, &size)
		  : getsockname(fd, (struct sockaddr *)&address, &size));
	return address;
}

static int bound(int family, int protocol)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = must(socket(family, SOCK_DGRAM, protocol));

	must(family == AF_INET ? bind(fd, (struct sockaddr *)&v4, sizeof(v4))
			       : bind(fd, (struct sockaddr *)&v6, sizeof(v6)));
	return fd;
}

struct couple {
	int server, client;
	struct sockaddr_in6 server_name, client_name;
};

static struct couple build(int family, int protocol)
{
	struct couple c = { .server = bound(family, protocol) };

	c.server_name = name_of(c.server, false);
	c.client = must(socket(family, SOCK_DGRAM, protocol));
	must(connect(c.client, (struct sockaddr *)&c.server_name,
		     family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)));
	c.client_name = name_of(c.client, false);
	return c;
}

static void check(const struct couple *c)
{
	struct sockaddr_in6 name = name_of(c->server, false), from = { 0 };
	socklen_t size = sizeof(from);
	char text[16];

	CHECK(!memcmp(&name, &c->server_name, sizeof(name)));
	name = name_of(c->client, false);
	CHECK(!memcmp(&name, &c->client_name, sizeof(name)));
	name = name_of(c->client, true);
	CHECK_EQUAL(name.sin6_port, c->server_name.sin6_port);
	CHECK_EQUAL(send(c->client, "hello", 5, 0), 5);
	CHECK_EQUAL(recvfrom(c->server, text, sizeof(text), 0, (struct sockaddr *)&from, &size), 5);
	CHECK_EQUAL(from.sin6_port, c->client_name.sin6_port);
}

int main(void)
{
	struct couple couples[3] = { build(AF_INET, IPPROTO_UDP), build(AF_INET6, IPPROTO_UDP), build(AF_INET, 0) };
	int lite = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE), fresh = must(socket(AF_INET6, SOCK_DGRAM, 0));
	int raw = must(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)), shut = bound(AF_INET, 0);
	struct icmp_filter filter = { ~(1u << ICMP_ECHOREPLY) }, got = { 0 };
	socklen_t size = sizeof(got);

	set_socket_option(couples[0].server, SOL_SOCKET, SO_BROADCAST, 1);
	set_socket_option(couples[0].server, IPPROTO_IP, IP_TOS, 0x10);
	set_socket_option(couples[0].server, IPPROTO_IP, IP_TTL, 17);
	set_socket_option(couples[0].server, IPPROTO_IP, IP_PKTINFO, 1);
	set_socket_option(fresh, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	set_socket_option(raw, IPPROTO_IP, IP_HDRINCL, 1);
	must(setsockopt(raw, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter)));
	shutdown(shut, SHUT_RD);

	checkpoint();

	for (int i = 0; i < 3; i++)
		check(&couples[i]);
	CHECK_EQUAL(socket_option(couples[0].server, SOL_SOCKET, SO_BROADCAST), 1);
	CHECK_EQUAL(socket_option(couples[0].server, SOL_SOCKET, SO_REUSEADDR), 0);
	CHECK_EQUAL(socket_option(couples[0].server, IPPROTO_IP, IP_TOS), 0x10);
	CHECK_EQUAL(socket_option(couples[0].server, IPPROTO_IP, IP_TTL), 17);
	CHECK_EQUAL(socket_option(couples[0].server, IPPROTO_IP, IP_PKTINFO), 1);
	CHECK_EQUAL(socket_option(fresh, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	CHECK_EQUAL(socket_option(raw, IPPROTO_IP, IP_HDRINCL), 1);
	CHECK_EQUAL(socket_option(raw, SOL_SOCKET, SO_PROTOCOL), IPPROTO_ICMP);
	must(getsockopt(raw, SOL_RAW, ICMP_FILTER, &got, &size));
	CHECK_EQUAL(got.data, filter.data);
	if (lite >= 0)
		CHECK_EQUAL(socket_option(lite, SOL_SOCKET, SO_PROTOCOL), IPPROTO_UDPLITE);
	CHECK_EQUAL(recv(shut, &got, 1, 0), 0);
	return 0;
}
