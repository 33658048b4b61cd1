// SPDX-License-Identifier: GPL-2.0-only
/* A connection with TLS in the kernel is refused: its keys cannot be read. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT(.options = "--tcp-established", .refused = "descriptor [0-9]+.*\"tls\" in the kernel can't be saved")

int main(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int listener = must(socket(AF_INET, SOCK_STREAM, 0)), client = must(socket(AF_INET, SOCK_STREAM, 0)), server;
	char text[8];

	must(bind(listener, (struct sockaddr *)&address, sizeof(address)));
	must(listen(listener, 1));
	must(getsockname(listener, (struct sockaddr *)&address, &size));
	must(connect(client, (struct sockaddr *)&address, sizeof(address)));
	server = must(accept(listener, NULL, NULL));
	if (setsockopt(client, IPPROTO_TCP, TCP_ULP, "tls", 4) < 0)
		skip("this kernel has no TLS");

	checkpoint();

	CHECK_EQUAL(send(client, "here", 4, 0), 4);
	CHECK_EQUAL(recv(server, text, 4, 0), 4);
	return 0;
}
