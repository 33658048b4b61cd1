// SPDX-License-Identifier: GPL-2.0-only
/* A connection keeps the bound of its window, a listener its own key for cookies of TCP Fast Open. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "subject.h"
#include "tools.h"

SUBJECT(.options = "--tcp-established")

int main(void)
{
	struct tcp_pair pair = connect_over_loopback();
	int listener = must(socket(AF_INET, SOCK_STREAM, 0));
	char key[17] = "0123456789abcdef", now[32] = "";
	socklen_t size = sizeof(now);

	set_socket_option(pair.server, IPPROTO_TCP, TCP_WINDOW_CLAMP, 30000);
	must(listen(listener, 5));
	set_socket_option(listener, IPPROTO_TCP, TCP_FASTOPEN, 5);
	must(setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, 16));

	checkpoint();

	CHECK_EQUAL(socket_option(pair.server, IPPROTO_TCP, TCP_WINDOW_CLAMP), 30000);
	CHECK_EQUAL(socket_option(listener, IPPROTO_TCP, TCP_FASTOPEN), 5);
	CHECK_EQUAL(getsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN_KEY, now, &size), 0);
	CHECK_EQUAL(size, 16);
	CHECK(memcmp(now, key, 16) == 0);
	CHECK_EQUAL(send(pair.client, "here", 4, 0), 4);
	CHECK_EQUAL(recv(pair.server, now, 4, 0), 4);
	return 0;
}
