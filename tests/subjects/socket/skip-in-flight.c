// SPDX-License-Identifier: GPL-2.0-only
/* With --skip-in-flight connections that wait for accept(2) are dropped: the client is told, and the listener takes new
 * ones. */
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT(.options = "--tcp-established --skip-in-flight", .ways = "plain twice")

int main(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int listener = must(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)),
	    client = must(socket(AF_INET, SOCK_STREAM, 0)), again;
	struct stat before, after;
	char text[8];

	must(bind(listener, (struct sockaddr *)&address, sizeof(address)));
	must(listen(listener, 3));
	must(getsockname(listener, (struct sockaddr *)&address, &size));
	must(connect(client, (struct sockaddr *)&address, sizeof(address)));
	must(fstat(listener, &before));

	checkpoint();

	must(fstat(listener, &after));
	if (before.st_ino == after.st_ino) /* it was not restored */
		return 0;
	CHECK(accept(listener, NULL, NULL) == -1 && errno == EAGAIN);
	again = must(socket(AF_INET, SOCK_STREAM, 0));
	CHECK_EQUAL(connect(again, (struct sockaddr *)&address, sizeof(address)), 0);
	CHECK(accept(listener, NULL, NULL) >= 0);
	/* Its other end knows nothing of it. */
	CHECK(send(client, "lost", 4, MSG_NOSIGNAL) == 4 || errno == EPIPE || errno == ECONNRESET);
	CHECK(recv(client, text, sizeof(text), 0) <= 0);
	return 0;
}
