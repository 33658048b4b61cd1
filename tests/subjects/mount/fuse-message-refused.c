// SPDX-License-Identifier: GPL-2.0-only
/*
 * A message that nobody has read, with an open file of a FUSE file system that is served in the tree: who looks at it
 * waits for the server when he closes that file, so it is refused before.
 */
#include <sys/socket.h>

#include "fuse-server.h"

SUBJECT(.refused = "an unread message has an open file of a FUSE file system")

static void answer_request(int fd, const struct fuse_request *request)
{
	fuse_answer_as_one_file(fd, request, 0);
}

/* Beside another one, behind a message without any. */
static void send_file(int socket, int fd)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = { .head = { CMSG_LEN(2 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec part = { "x", 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	int sent[] = { STDIN_FILENO, fd };

	memcpy(CMSG_DATA(&control.head), sent, sizeof(sent));
	CHECK(send(socket, "first", 5, 0) == 5);
	CHECK(sendmsg(socket, &message, 0) == 1);
}

int main(void)
{
	pid_t server = fuse_start(answer_request);
	int ends[2], fd = must(open("mnt/file", O_RDWR));

	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
	send_file(ends[0], fd);
	must(close(fd));

	checkpoint();

	must(close(ends[1]));
	fuse_end(server);
	return 0;
}
