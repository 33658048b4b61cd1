// SPDX-License-Identifier: GPL-2.0-only
/* Sockets stay in their multicast groups, with the sources that they want or do not want. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT()

static struct group_req request(const char *text)
{
	struct group_req request = { .gr_interface = if_nametoindex("lo") };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&request.gr_group;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&request.gr_group;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
	} else {
		CHECK_EQUAL(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
		v6->sin6_family = AF_INET6;
	}
	return request;
}

static int level_of(const struct group_req *group)
{
	return group->gr_group.ss_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
}

static void join(int fd, const char *text)
{
	struct group_req group = request(text);

	must(setsockopt(fd, level_of(&group), MCAST_JOIN_GROUP, &group, sizeof(group)));
}

static void source(int fd, int action, const char *text, const char *from)
{
	struct group_req group = request(text);
	struct group_source_req req = { .gsr_interface = group.gr_interface,
					.gsr_group = group.gr_group,
					.gsr_source = request(from).gr_group };

	must(setsockopt(fd, level_of(&group), action, &req, sizeof(req)));
}

/* The number of sources, -1: not in the group. */
static int sources(int fd, const char *text, uint32_t mode)
{
	struct group_req group = request(text);
	char room[GROUP_FILTER_SIZE(8)] __attribute__((aligned(8))) = { 0 };
	struct group_filter *filter = (struct group_filter *)room;
	socklen_t size = sizeof(room);

	filter->gf_interface = group.gr_interface;
	filter->gf_group = group.gr_group;
	filter->gf_numsrc = 8;
	if (getsockopt(fd, level_of(&group), MCAST_MSFILTER, filter, &size) < 0)
		return -1;
	CHECK_EQUAL(filter->gf_fmode, mode);
	return (int)filter->gf_numsrc;
}

static void send_to(const char *text, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = port };
	struct in_addr lo = { htonl(INADDR_LOOPBACK) };
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0));

	CHECK_EQUAL(inet_pton(AF_INET, text, &to.sin_addr), 1);
	CHECK_EQUAL(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof(lo)), 0);
	CHECK_EQUAL(sendto(fd, "heard", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
	close(fd);
}

int main(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	socklen_t size = sizeof(any);
	int member = must(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)), other = must(socket(AF_INET, SOCK_DGRAM, 0));
	int six = must(socket(AF_INET6, SOCK_DGRAM, 0)), raw = must(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	struct group_req group = request("239.1.2.3");
	int off = 0;
	char text[8];

	must(setsockopt(member, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof(off)));
	must(bind(member, (struct sockaddr *)&any, size));
	must(getsockname(member, (struct sockaddr *)&any, &size));
	join(member, "239.1.2.3");
	source(member, MCAST_JOIN_SOURCE_GROUP, "239.1.2.4", "10.1.1.1");
	source(member, MCAST_JOIN_SOURCE_GROUP, "239.1.2.4", "10.1.1.2");
	join(member, "239.1.2.5");
	source(member, MCAST_BLOCK_SOURCE, "239.1.2.5", "10.1.1.3");
	join(six, "ff05::17");
	join(six, "239.1.2.6");
	source(six, MCAST_JOIN_SOURCE_GROUP, "ff35::18", "fd00::1");
	join(raw, "239.1.2.7");

	checkpoint();

	CHECK_EQUAL(sources(member, "239.1.2.3", MCAST_EXCLUDE), 0);
	CHECK_EQUAL(sources(member, "239.1.2.4", MCAST_INCLUDE), 2);
	CHECK_EQUAL(sources(member, "239.1.2.5", MCAST_EXCLUDE), 1);
	CHECK_EQUAL(sources(member, "239.1.2.6", MCAST_EXCLUDE), -1);
	CHECK_EQUAL(sources(other, "239.1.2.3", MCAST_EXCLUDE), -1);
	CHECK_EQUAL(sources(six, "ff05::17", MCAST_EXCLUDE), 0);
	CHECK_EQUAL(sources(six, "239.1.2.6", MCAST_EXCLUDE), 0);
	CHECK_EQUAL(sources(six, "ff35::18", MCAST_INCLUDE), 1);
	CHECK_EQUAL(sources(raw, "239.1.2.7", MCAST_EXCLUDE), 0);
	send_to("239.1.2.3", any.sin_port);
	CHECK_EQUAL(recv(member, text, sizeof(text), 0), 5);
	send_to("239.1.2.4", any.sin_port); /* from nobody that it wants */
	CHECK(recv(member, text, sizeof(text), 0) == -1 && errno == EAGAIN);
	CHECK_EQUAL(setsockopt(member, IPPROTO_IP, MCAST_LEAVE_GROUP, &group, sizeof(group)), 0);
	send_to("239.1.2.3", any.sin_port);
	CHECK(recv(member, text, sizeof(text), 0) == -1 && errno == EAGAIN);
	return 0;
}
