// SPDX-License-Identifier: GPL-2.0-only
/* Sockets, for subjects. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "subject.h"
#include "tools.h"

int socket_option(int fd, int level, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	must(getsockopt(fd, level, name, &value, &size));
	return value;
}

void set_socket_option(int fd, int level, int name, int value)
{
	must(setsockopt(fd, level, name, &value, sizeof(value)));
}

void send_text(int fd, const char *text)
{
	CHECK_EQUAL(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

void receive_text(int fd, const char *text)
{
	char found[64] = "";

	CHECK_EQUAL(recv(fd, found, sizeof(found), MSG_DONTWAIT), strlen(text));
	CHECK(!strcmp(found, text));
}

pid_t receive_with_sender(int fd, char *ret_byte)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov = { ret_byte, 1 };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct ucred sender;

	CHECK_EQUAL(recvmsg(fd, &message, 0), 1);
	CHECK(CMSG_FIRSTHDR(&message) && CMSG_FIRSTHDR(&message)->cmsg_type == SCM_CREDENTIALS);
	memcpy(&sender, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(sender));
	return sender.pid;
}

static struct tcp_info tell_tcp(int fd)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);

	must(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size));
	return info;
}

int tcp_state(int fd)
{
	return tell_tcp(fd).tcpi_state;
}

unsigned tcp_waiting(int listener)
{
	return tell_tcp(listener).tcpi_unacked;
}

struct tcp_pair connect_over_loopback(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	struct tcp_pair pair = { must(socket(AF_INET, SOCK_STREAM, 0)), must(socket(AF_INET, SOCK_STREAM, 0)), -1 };

	must(bind(pair.listener, (struct sockaddr *)&address, sizeof(address)));
	must(listen(pair.listener, 1));
	must(getsockname(pair.listener, (struct sockaddr *)&address, &size));
	must(connect(pair.client, (struct sockaddr *)&address, sizeof(address)));
	pair.server = must(accept(pair.listener, NULL, NULL));
	return pair;
}
