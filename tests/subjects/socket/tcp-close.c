// SPDX-License-Identifier: GPL-2.0-only
/* With --tcp-close connections have ended for both sides, and the listener goes on. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT(.options = "--tcp-close", .ways = "plain twice")

int main(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int listener = must(socket(AF_INET, SOCK_STREAM, 0)), client = must(socket(AF_INET, SOCK_STREAM, 0)), server,
	    again;
	struct stat before, after;
	char text[8];

	must(bind(listener, (struct sockaddr *)&address, sizeof(address)));
	must(listen(listener, 1));
	must(getsockname(listener, (struct sockaddr *)&address, &size));
	must(connect(client, (struct sockaddr *)&address, sizeof(address)));
	server = must(accept(listener, NULL, NULL));

	must(fstat(listener, &before));
	checkpoint();

	must(fstat(listener, &after));
	if (before.st_ino == after.st_ino) /* it was not restored: the connection is still there */
		return 0;
	CHECK_EQUAL(recv(client, text, 4, 0), 0);
	CHECK(send(server, "here", 4, MSG_NOSIGNAL) == -1 && errno == EPIPE);
	again = must(socket(AF_INET, SOCK_STREAM, 0));
	CHECK_EQUAL(connect(again, (struct sockaddr *)&address, sizeof(address)), 0);
	return 0;
}
