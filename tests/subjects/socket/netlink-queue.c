// SPDX-License-Identifier: GPL-2.0-only
/* A netlink socket to which a queue of the firewall was given: the socket comes back, the queue is told as lost. */
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT()

int main(void)
{
	struct {
		struct nlmsghdr head;
		struct nfgenmsg of;
		struct nlattr attribute;
		struct nfqnl_msg_config_cmd command;
	} request = {
		{ .nlmsg_len = sizeof(request),
		  .nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_CONFIG,
		  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		{ .nfgen_family = AF_UNSPEC, .res_id = __builtin_bswap16(77) },
		{ .nla_len = NLA_HDRLEN + sizeof(request.command), .nla_type = NFQA_CFG_CMD },
		{ .command = NFQNL_CFG_CMD_BIND },
	};
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
	} answer;
	struct sockaddr_nl before = { .nl_family = AF_NETLINK }, after = { 0 };
	socklen_t size = sizeof(before);
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);

	if (fd < 0)
		skip("this kernel has no netfilter");
	must(bind(fd, (struct sockaddr *)&before, size));
	must((int)send(fd, &request, sizeof(request), 0));
	must((int)recv(fd, &answer, sizeof(answer), 0));
	if (answer.head.nlmsg_type != NLMSG_ERROR || answer.error.error)
		skip("this kernel has no queues of the firewall");
	must(getsockname(fd, (struct sockaddr *)&before, &size));

	checkpoint();

	CHECK_EQUAL(getsockname(fd, (struct sockaddr *)&after, &size), 0);
	CHECK_EQUAL(after.nl_pid, before.nl_pid);
	return 0;
}
