/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets of a client's socket, to records and back. */
#include "service/message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/auto.h"
#include "base/pool.h"

/* Far more than any request needs; a length that we allocate is chosen by a stranger. */
#define LARGEST_MESSAGE (1 << 20)

/* The length of the next packet, which stays. Empty packets and the end of a connection look the same. */
static ssize_t peek_length(int fd)
{
	char byte;
	ssize_t n;

	do {
		n = recv(fd, &byte, sizeof(byte), MSG_PEEK | MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : errno == ECONNRESET ? -ENOTCONN : -errno;
	return n ?: -ENOTCONN;
}

int message_receive(int fd, CriuReq **ret)
{
	ssize_t n = peek_length(fd), got;
	AUTO_FREE uint8_t *packet = NULL;

	if (n < 0)
		return (int)n;
	if (n > LARGEST_MESSAGE) {
		(void)recv(fd, NULL, 0, 0); /* takes the packet off */
		return -EMSGSIZE;
	}
	packet = xmalloc((size_t)n);
	/* Descriptors that a client attaches are dropped by the kernel: we give no room for them. */
	got = recv(fd, packet, (size_t)n, 0);
	if (got < 0)
		return -errno;
	*ret = criu_req__unpack(NULL, (size_t)got, packet);
	return *ret ? 0 : -EBADMSG;
}

int message_send(int fd, const CriuResp *message, int passed)
{
	size_t size = criu_resp__get_packed_size(message);
	AUTO_FREE uint8_t *packet = xmalloc(size);
	struct iovec piece = { packet, size };
	union {
		char capacity[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr header = { .msg_iov = &piece, .msg_iovlen = 1 };

	criu_resp__pack(message, packet);
	if (passed >= 0) {
		control.align = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), &passed, sizeof(int));
		header.msg_control = &control;
		header.msg_controllen = sizeof(control.capacity);
	}
	while (sendmsg(fd, &header, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}
