// SPDX-License-Identifier: GPL-2.0-only
/* Raw sockets of every protocol and of both families keep protocol, filter of ICMP messages and IP_HDRINCL; that of one
 * family has nothing to do with the protocol of the other's ICMP. */
#include <arpa/inet.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT()

#ifndef SOL_RAW
#define SOL_RAW 255
#endif

static int get(int fd, int level, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);

	must(getsockopt(fd, level, option, &value, &size));
	return value;
}

int main(void)
{
	static int sockets[2][256];
	const int families[2] = { AF_INET, AF_INET6 };
	struct icmp_filter filter = { 1 << ICMP_TIMESTAMP };
	struct icmp6_filter filter6 = { { 1 << 13 } };
	socklen_t size = sizeof(filter6);
	int on = 1;

	for (int f = 0; f < 2; f++)
		for (int protocol = 1; protocol < 256; protocol++)
			sockets[f][protocol] = socket(families[f], SOCK_RAW, protocol);
	must(setsockopt(sockets[0][IPPROTO_ICMP], SOL_RAW, ICMP_FILTER, &filter, sizeof(filter)));
	must(setsockopt(sockets[0][IPPROTO_ICMPV6], IPPROTO_IP, IP_HDRINCL, &on, sizeof(on)));
	must(setsockopt(sockets[1][IPPROTO_ICMPV6], IPPROTO_ICMPV6, ICMP6_FILTER, &filter6, sizeof(filter6)));

	checkpoint();

	for (int f = 0; f < 2; f++) {
		for (int protocol = 1; protocol < 256; protocol++) {
			if (sockets[f][protocol] < 0)
				continue;
			CHECK_EQUAL(get(sockets[f][protocol], SOL_SOCKET, SO_DOMAIN), families[f]);
			CHECK_EQUAL(get(sockets[f][protocol], SOL_SOCKET, SO_TYPE), SOCK_RAW);
			CHECK_EQUAL(get(sockets[f][protocol], SOL_SOCKET, SO_PROTOCOL), protocol);
		}
	}
	CHECK_EQUAL(get(sockets[0][IPPROTO_ICMP], SOL_RAW, ICMP_FILTER), 1 << ICMP_TIMESTAMP);
	CHECK_EQUAL(get(sockets[0][IPPROTO_ICMPV6], IPPROTO_IP, IP_HDRINCL), 1);
	memset(&filter6, 0, sizeof(filter6));
	must(getsockopt(sockets[1][IPPROTO_ICMPV6], IPPROTO_ICMPV6, ICMP6_FILTER, &filter6, &size));
	CHECK_EQUAL(filter6.icmp6_filt[0], 1 << 13);
	return 0;
}
