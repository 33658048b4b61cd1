/* SPDX-License-Identifier: GPL-2.0-only */
/* Sending and receiving descriptors. */
#pragma once

#include <sys/socket.h>

#include "subject.h"

/* Sends n descriptors beside the text. */
static inline void send_fds(int through, const char *text, const int *fds, unsigned n)
{
	char control[CMSG_SPACE(sizeof(int) * 253)] = { 0 };
	struct iovec iov = { (char *)text, strlen(text) };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(sizeof(int) * n)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	must(sendmsg(through, &message, 0));
}

/* Receives a message that must have this text and n descriptors. */
static inline void receive_fds(int from, const char *text, int *fds, unsigned n)
{
	char control[CMSG_SPACE(sizeof(int) * 253)] = { 0 }, buffer[64] = "";
	struct iovec iov = { buffer, strlen(text) };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};

	CHECK_EQUAL(recvmsg(from, &message, MSG_DONTWAIT), strlen(text));
	CHECK(!strcmp(buffer, text));
	CHECK(CMSG_FIRSTHDR(&message));
	CHECK_EQUAL(CMSG_FIRSTHDR(&message)->cmsg_len, CMSG_LEN(sizeof(int) * n));
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int) * n);
}

static inline void send_one(int through, int fd)
{
	send_fds(through, "fd", &fd, 1);
}

static inline int receive_one(int from)
{
	int fd;

	receive_fds(from, "fd", &fd, 1);
	return fd;
}
