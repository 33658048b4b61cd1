// SPDX-License-Identifier: GPL-2.0-only
/* A connection whose both ends speak Multipath TCP is refused by name. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT(.options = "--tcp-established", .refused = "descriptor [0-9]+.*a connection of Multipath TCP .*--tcp-close")

int main(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP), client, server;
	char text[4];

	if (listener < 0)
		skip("this kernel has no Multipath TCP");
	must(bind(listener, (struct sockaddr *)&address, size));
	must(listen(listener, 1));
	must(getsockname(listener, (struct sockaddr *)&address, &size));
	client = must(socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP));
	must(connect(client, (struct sockaddr *)&address, size));
	server = must(accept(listener, NULL, NULL));

	checkpoint();

	CHECK_EQUAL(send(client, "word", 4, 0), 4);
	CHECK_EQUAL(recv(server, text, 4, MSG_WAITALL), 4);
	return 0;
}
