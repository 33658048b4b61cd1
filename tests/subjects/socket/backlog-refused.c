// SPDX-License-Identifier: GPL-2.0-only
/* Connections that wait for accept(2) are refused where they could not be put back, unless they may be dropped. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT(.options = "--tcp-established --leave-running --network-lock skip",
	.refused = "1 connections wait in the backlog.*could not be put back.*without --leave-running")

int main(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int listener = must(socket(AF_INET, SOCK_STREAM, 0)), client = must(socket(AF_INET, SOCK_STREAM, 0));

	must(bind(listener, (struct sockaddr *)&address, sizeof(address)));
	must(listen(listener, 1));
	must(getsockname(listener, (struct sockaddr *)&address, &size));
	must(connect(client, (struct sockaddr *)&address, sizeof(address)));

	checkpoint();

	CHECK(accept(listener, NULL, NULL) >= 0);
	return 0;
}
