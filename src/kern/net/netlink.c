/* SPDX-License-Identifier: LGPL-2.1-only */
/* Netlink requests and their answers, on top of libmnl. */
#include "kern/net/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/pool.h"

/* The kernel fills dumps up to the size of the reader's buffer, at most 32 KiB (netlink_dump()). */
#define ANSWER_CAPACITY (32 * 1024)

struct netlink {
	struct mnl_socket *socket;
	unsigned seq;
	char answer[ANSWER_CAPACITY];
};

struct asked {
	int (*answer)(void *arg, const struct nlmsghdr *message);
	void *arg;
	int result;
};

int netlink_open(int protocol, struct netlink **ret)
{
	struct mnl_socket *socket = mnl_socket_open2(protocol, SOCK_CLOEXEC);

	if (!socket)
		return -errno;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		int error = errno;

		mnl_socket_close(socket);
		return -error;
	}
	*ret = xzalloc(sizeof(**ret));
	(*ret)->socket = socket;
	return 0;
}

void netlink_close(struct netlink **netlink)
{
	if (!*netlink)
		return;
	mnl_socket_close((*netlink)->socket);
	free(*netlink);
	*netlink = NULL;
}

static int handle_message(const struct nlmsghdr *message, void *arg)
{
	struct asked *asked = arg;

	asked->result = asked->answer(asked->arg, message);
	return asked->result < 0 ? MNL_CB_ERROR : MNL_CB_OK;
}

int netlink_ask(struct netlink *netlink, struct nlmsghdr *request,
		int (*answer)(void *arg, const struct nlmsghdr *message), void *arg)
{
	struct asked asked = { answer, arg, 0 };
	unsigned portid = mnl_socket_get_portid(netlink->socket);
	int more = MNL_CB_OK;

	request->nlmsg_seq = ++netlink->seq;
	if (mnl_socket_sendto(netlink->socket, request, request->nlmsg_len) < 0)
		return -errno;
	while (more > MNL_CB_STOP) {
		ssize_t n = mnl_socket_recvfrom(netlink->socket, netlink->answer, sizeof(netlink->answer));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		more = mnl_cb_run(netlink->answer, n, netlink->seq, portid, handle_message, &asked);
		if (more < 0)
			return asked.result < 0 ? asked.result : -errno;
	}
	return 0;
}

/* What the kernel has said of a batch: it has worked on all of it when send() returns. */
static int read_errors(struct netlink *netlink, unsigned *ret_failed)
{
	const int fd = mnl_socket_get_fd(netlink->socket);
	int first = 0;

	for (;;) {
		ssize_t n = recv(fd, netlink->answer, sizeof(netlink->answer), MSG_DONTWAIT);
		const struct nlmsghdr *message = (const struct nlmsghdr *)netlink->answer;
		const struct nlmsgerr *report = mnl_nlmsg_get_payload(message);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return first;
		if (n < 0)
			return first ?: -errno;
		if ((size_t)n < MNL_NLMSG_HDRLEN + sizeof(*report) || message->nlmsg_type != NLMSG_ERROR ||
		    !report->error || first)
			continue;
		first = report->error;
		*ret_failed = report->msg.nlmsg_seq;
	}
}

int netlink_send_batch(struct netlink *netlink, const void *data, size_t size, unsigned *ret_failed)
{
	const int fd = mnl_socket_get_fd(netlink->socket), capacity = size < INT_MAX / 2 ? (int)size + 4096 : INT_MAX;

	*ret_failed = 0;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &capacity, sizeof(capacity)); /* else send() tells */
	if (mnl_socket_sendto(netlink->socket, data, size) < 0)
		return -errno;
	return read_errors(netlink, ret_failed);
}
