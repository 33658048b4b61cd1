// SPDX-License-Identifier: GPL-2.0-only
/* Netlink sockets keep their port, their groups and can be asked again. */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT()

static struct sockaddr_nl name_of(int fd)
{
	struct sockaddr_nl address = { 0 };
	socklen_t size = sizeof(address);

	must(getsockname(fd, (struct sockaddr *)&address, &size));
	return address;
}

static void ask(int fd)
{
	struct {
		struct nlmsghdr header;
		struct rtgenmsg message;
	} request = { { sizeof(request), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 7, 0 }, { AF_UNSPEC } };
	char answer[32768];
	struct nlmsghdr *header = (struct nlmsghdr *)answer;

	CHECK_EQUAL(send(fd, &request, sizeof(request), 0), sizeof(request));
	do
		CHECK(recv(fd, answer, sizeof(answer), 0) > 0);
	while (header->nlmsg_type != NLMSG_DONE);
	CHECK_EQUAL(header->nlmsg_seq, 7);
}

int main(void)
{
	struct sockaddr_nl own = { .nl_family = AF_NETLINK, .nl_pid = 123456 }, kernel = { .nl_family = AF_NETLINK };
	int fd = must(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)),
	    fresh = must(socket(AF_NETLINK, SOCK_DGRAM, NETLINK_GENERIC));
	int group = RTNLGRP_MDB, event = must(socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
	struct sockaddr_nl events = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	uint32_t groups[4] = { 0 };
	socklen_t size = sizeof(groups);

	must(bind(fd, (struct sockaddr *)&own, sizeof(own)));
	must(connect(fd, (struct sockaddr *)&kernel, sizeof(kernel)));
	must(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)));
	must(bind(event, (struct sockaddr *)&events, sizeof(events)));
	ask(fd);

	checkpoint();

	CHECK_EQUAL(name_of(fd).nl_pid, 123456);
	CHECK_EQUAL(name_of(fresh).nl_pid, 0);
	must(getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &size));
	CHECK_EQUAL(groups[(RTNLGRP_MDB - 1) / 32], 1u << (RTNLGRP_MDB - 1) % 32);
	CHECK_EQUAL(name_of(event).nl_groups, 1);
	CHECK(recv(event, groups, sizeof(groups), 0) == -1 && errno == EAGAIN);
	group = RTNLGRP_MDB;
	must(setsockopt(fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &group, sizeof(group)));
	ask(fd);
	return 0;
}
