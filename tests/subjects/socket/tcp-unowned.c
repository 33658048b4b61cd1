// SPDX-License-Identifier: GPL-2.0-only
/*
 * A server without SO_REUSEADDR has closed connections whose clients have not: they belong to nobody, hold its port,
 * and wait for the clients' end.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT(.options = "--tcp-established")

#define CLIENTS 3

int main(void)
{
	struct sockaddr_in name = { AF_INET, 0, { htonl(INADDR_LOOPBACK) }, { 0 } };
	socklen_t size = sizeof(name);
	int listener = must(socket(AF_INET, SOCK_STREAM, 0)), clients[CLIENTS], last;
	char byte;

	must(bind(listener, (struct sockaddr *)&name, sizeof(name)));
	must(listen(listener, 5));
	must(getsockname(listener, (struct sockaddr *)&name, &size));
	for (int i = 0; i < CLIENTS; i++) {
		int server;

		clients[i] = must(socket(AF_INET, SOCK_STREAM, 0));
		must(connect(clients[i], (struct sockaddr *)&name, sizeof(name)));
		server = must(accept(listener, NULL, NULL));
		if (i)
			must(send(server, "x", 1, 0));
		must(close(server));
	}

	checkpoint();

	for (int i = 0; i < CLIENTS; i++) {
		if (i)
			CHECK_EQUAL(recv(clients[i], &byte, 1, 0), 1);
		CHECK_EQUAL(recv(clients[i], &byte, 1, 0), 0);
	}
	last = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(last, (struct sockaddr *)&name, sizeof(name)) == 0);
	CHECK(accept(listener, NULL, NULL) >= 0);
	return 0;
}
