/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What is used of libmnl, for a static build: Debian has that library only to be linked at run time. See netlink(7)
 * for the messages, and libmnl.h for what each of these does.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/pool.h"

/* --- sockets --- */

struct mnl_socket {
	int fd;
	struct sockaddr_nl name;
};

struct mnl_socket *mnl_socket_open2(int protocol, int flags)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | flags, protocol);
	struct mnl_socket *new;

	if (fd < 0)
		return NULL;
	new = xzalloc(sizeof(*new));
	new->fd = fd;
	return new;
}

int mnl_socket_bind(struct mnl_socket *socket, unsigned groups, pid_t pid)
{
	socklen_t size = sizeof(socket->name);

	socket->name = (struct sockaddr_nl){ .nl_family = AF_NETLINK, .nl_groups = groups, .nl_pid = (uint32_t)pid };
	if (bind(socket->fd, (struct sockaddr *)&socket->name, size) < 0)
		return -1;
	return getsockname(socket->fd, (struct sockaddr *)&socket->name, &size);
}

int mnl_socket_close(struct mnl_socket *socket)
{
	int result = close(socket->fd);

	free(socket);
	return result;
}

unsigned mnl_socket_get_portid(const struct mnl_socket *socket)
{
	return socket->name.nl_pid;
}

int mnl_socket_get_fd(const struct mnl_socket *socket)
{
	return socket->fd;
}

ssize_t mnl_socket_sendto(const struct mnl_socket *socket, const void *request, size_t size)
{
	static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	return sendto(socket->fd, request, size, 0, (const struct sockaddr *)&kernel, sizeof(kernel));
}

ssize_t mnl_socket_recvfrom(const struct mnl_socket *socket, void *to, size_t capacity)
{
	struct sockaddr_nl from = { 0 };
	struct iovec part = { to, capacity };
	struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t n = recvmsg(socket->fd, &message, 0);

	if (n < 0)
		return -1;
	if (message.msg_flags & MSG_TRUNC || message.msg_namelen != sizeof(from)) {
		errno = message.msg_flags & MSG_TRUNC ? ENOSPC : EINVAL;
		return -1;
	}
	return n;
}

/* --- messages --- */

struct nlmsghdr *mnl_nlmsg_put_header(void *at)
{
	struct nlmsghdr *message = memset(at, 0, MNL_NLMSG_HDRLEN);

	message->nlmsg_len = MNL_NLMSG_HDRLEN;
	return message;
}

void *mnl_nlmsg_put_extra_header(struct nlmsghdr *message, size_t size)
{
	void *at = (char *)message + message->nlmsg_len;

	message->nlmsg_len += (uint32_t)MNL_ALIGN(size);
	return memset(at, 0, MNL_ALIGN(size));
}

void *mnl_nlmsg_get_payload(const struct nlmsghdr *message)
{
	return (char *)message + MNL_NLMSG_HDRLEN;
}

size_t mnl_nlmsg_get_payload_len(const struct nlmsghdr *message)
{
	return message->nlmsg_len - MNL_NLMSG_HDRLEN;
}

void *mnl_nlmsg_get_payload_offset(const struct nlmsghdr *message, size_t offset)
{
	return (char *)message + MNL_NLMSG_HDRLEN + MNL_ALIGN(offset);
}

void *mnl_nlmsg_get_payload_tail(const struct nlmsghdr *message)
{
	return (char *)message + MNL_ALIGN(message->nlmsg_len);
}

/* 0, the last one, or -1 with errno. */
static int handle_control(const struct nlmsghdr *message)
{
	const struct nlmsgerr *report = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type == NLMSG_DONE)
		return MNL_CB_STOP;
	if (message->nlmsg_type != NLMSG_ERROR)
		return MNL_CB_OK;
	if (message->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof(*report)) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	errno = abs(report->error);
	return report->error ? MNL_CB_ERROR : MNL_CB_STOP;
}

/* 0, or the errno of a message that answers another request. */
static int check_message(const struct nlmsghdr *message, unsigned seq, unsigned portid)
{
	if (message->nlmsg_pid && portid && message->nlmsg_pid != portid)
		return ESRCH;
	if (message->nlmsg_seq && seq && message->nlmsg_seq != seq)
		return EPROTO;
	return message->nlmsg_flags & NLM_F_DUMP_INTR ? EINTR : 0;
}

int mnl_cb_run(const void *from, size_t size, unsigned seq, unsigned portid, mnl_cb_t work, void *arg)
{
	const struct nlmsghdr *message = from;
	int result = MNL_CB_OK;
	long left = (long)size;

	while (result > MNL_CB_STOP && left >= (long)sizeof(*message) && message->nlmsg_len >= sizeof(*message) &&
	       message->nlmsg_len <= left) {
		const long step = MNL_ALIGN(message->nlmsg_len);

		errno = check_message(message, seq, portid);
		if (errno)
			return MNL_CB_ERROR;
		if (message->nlmsg_type < NLMSG_MIN_TYPE)
			result = handle_control(message);
		else if (work)
			result = work(message, arg);
		message = (const void *)((const char *)message + step);
		left -= step;
	}
	return result;
}

/* --- attributes that are read --- */

uint16_t mnl_attr_get_type(const struct nlattr *attr)
{
	return attr->nla_type & NLA_TYPE_MASK;
}

void *mnl_attr_get_payload(const struct nlattr *attr)
{
	return (char *)attr + MNL_ATTR_HDRLEN;
}

uint16_t mnl_attr_get_payload_len(const struct nlattr *attr)
{
	return (uint16_t)(attr->nla_len - MNL_ATTR_HDRLEN);
}

uint8_t mnl_attr_get_u8(const struct nlattr *attr)
{
	return *(uint8_t *)mnl_attr_get_payload(attr);
}

uint16_t mnl_attr_get_u16(const struct nlattr *attr)
{
	return *(uint16_t *)mnl_attr_get_payload(attr);
}

uint32_t mnl_attr_get_u32(const struct nlattr *attr)
{
	return *(uint32_t *)mnl_attr_get_payload(attr);
}

const char *mnl_attr_get_str(const struct nlattr *attr)
{
	return mnl_attr_get_payload(attr);
}

bool mnl_attr_ok(const struct nlattr *attr, int left)
{
	return left >= (int)sizeof(*attr) && attr->nla_len >= sizeof(*attr) && attr->nla_len <= left;
}

struct nlattr *mnl_attr_next(const struct nlattr *attr)
{
	return (struct nlattr *)((char *)attr + MNL_ALIGN(attr->nla_len));
}

int mnl_attr_parse(const struct nlmsghdr *message, unsigned offset, mnl_attr_cb_t work, void *arg)
{
	const struct nlattr *attr;
	int result = MNL_CB_OK;

	mnl_attr_for_each(attr, message, offset) if ((result = work(attr, arg)) <= MNL_CB_STOP) return result;
	return result;
}

int mnl_attr_parse_nested(const struct nlattr *nest, mnl_attr_cb_t work, void *arg)
{
	const struct nlattr *attr;
	int result = MNL_CB_OK;

	mnl_attr_for_each_nested(attr, nest) if ((result = work(attr, arg)) <= MNL_CB_STOP) return result;
	return result;
}

/* --- attributes that are written --- */

void mnl_attr_put(struct nlmsghdr *message, uint16_t type, size_t size, const void *data)
{
	struct nlattr *attr = mnl_nlmsg_get_payload_tail(message);

	attr->nla_type = type;
	attr->nla_len = (uint16_t)(MNL_ATTR_HDRLEN + size);
	memset(mnl_attr_get_payload(attr), 0, MNL_ALIGN(size));
	if (size)
		memcpy(mnl_attr_get_payload(attr), data, size);
	message->nlmsg_len = (uint32_t)(MNL_ALIGN(message->nlmsg_len) + MNL_ALIGN(attr->nla_len));
}

void mnl_attr_put_u8(struct nlmsghdr *message, uint16_t type, uint8_t value)
{
	mnl_attr_put(message, type, sizeof(value), &value);
}

void mnl_attr_put_u16(struct nlmsghdr *message, uint16_t type, uint16_t value)
{
	mnl_attr_put(message, type, sizeof(value), &value);
}

void mnl_attr_put_u32(struct nlmsghdr *message, uint16_t type, uint32_t value)
{
	mnl_attr_put(message, type, sizeof(value), &value);
}

void mnl_attr_put_strz(struct nlmsghdr *message, uint16_t type, const char *text)
{
	mnl_attr_put(message, type, strlen(text) + 1, text);
}

struct nlattr *mnl_attr_nest_start(struct nlmsghdr *message, uint16_t type)
{
	struct nlattr *nest = mnl_nlmsg_get_payload_tail(message);

	nest->nla_type = NLA_F_NESTED | type;
	message->nlmsg_len = (uint32_t)(MNL_ALIGN(message->nlmsg_len) + MNL_ATTR_HDRLEN);
	return nest;
}

void mnl_attr_nest_end(struct nlmsghdr *message, struct nlattr *nest)
{
	nest->nla_len = (uint16_t)((char *)mnl_nlmsg_get_payload_tail(message) - (char *)nest);
}
