// SPDX-License-Identifier: GPL-2.0-only
/* An established connection is refused without an option that says what to do with it. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT(.refused = "fd [0-9]+ is an established TCP connection.*--tcp-established.*--tcp-close")

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

	checkpoint();

	CHECK_EQUAL(send(client, "here", 4, 0), 4);
	CHECK_EQUAL(recv(server, text, 4, 0), 4);
	return 0;
}
