// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors inside unread messages arrive: pipes, files, sockets nobody else has, and sockets with such messages
 * themselves. */
#include <sys/socket.h>

#include "subject.h"

SUBJECT()

static void send_fd(int through, int fd, const char *text)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { (char *)text, strlen(text) };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	must(sendmsg(through, &message, 0));
}

static int receive_fd(int from, const char *text)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, buffer[16] = "";
	struct iovec iov = { buffer, strlen(text) };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	int fd;

	CHECK_EQUAL(recvmsg(from, &message, 0), strlen(text));
	CHECK(!strcmp(buffer, text));
	CHECK(CMSG_FIRSTHDR(&message));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	return fd;
}

int main(void)
{
	int stream[2], datagram[2], pipes[2], lone[2], inner[2], circle[2];
	char text[16];
	int file = must(open("data", O_RDWR | O_CREAT, 0600));

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, stream));
	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagram));
	must(pipe(pipes));
	must(write(pipes[1], "inside", 6));
	send_fd(stream[0], pipes[0], "pipe");
	must(close(pipes[0]));
	send_fd(stream[0], file, "file");

	/* Both ends of a pair are only under way, one with a descriptor inside. */
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, lone));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, inner));
	send_fd(lone[0], inner[0], "inner");
	must(close(inner[0]));
	send_fd(datagram[0], lone[1], "lone");
	must(close(lone[1]));
	must(close(lone[0]));

	/* A socket that carries itself. */
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, circle));
	send_fd(circle[0], circle[1], "circle");

	checkpoint();

	int fd = receive_fd(stream[1], "pipe");

	CHECK_EQUAL(read(fd, text, sizeof(text)), 6);
	fd = receive_fd(stream[1], "file");
	CHECK_EQUAL(write(fd, "shared", 6), 6);
	CHECK_EQUAL(lseek(file, 0, SEEK_CUR), 6);
	fd = receive_fd(datagram[1], "lone");
	fd = receive_fd(fd, "inner");
	CHECK_EQUAL(write(fd, "found", 5), 5);
	CHECK_EQUAL(read(inner[1], text, sizeof(text)), 5);
	fd = receive_fd(circle[1], "circle");
	CHECK_EQUAL(write(circle[0], "round", 5), 5);
	CHECK_EQUAL(read(fd, text, sizeof(text)), 5);
	must(unlink("data"));
	return 0;
}
