// SPDX-License-Identifier: GPL-2.0-only
/* Sockets that both sides have shut down have ports that a connection in TIME_WAIT still holds in the kernel. */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT(.options = "--tcp-established")

static void build(int ends[2])
{
	struct sockaddr_in name = { AF_INET, 0, { htonl(INADDR_LOOPBACK) }, { 0 } };
	socklen_t size = sizeof(name);
	int listener = must(socket(AF_INET, SOCK_STREAM, 0));
	char byte;

	must(bind(listener, (struct sockaddr *)&name, sizeof(name)));
	must(listen(listener, 1));
	must(getsockname(listener, (struct sockaddr *)&name, &size));
	ends[0] = must(socket(AF_INET, SOCK_STREAM, 0));
	must(connect(ends[0], (struct sockaddr *)&name, sizeof(name)));
	ends[1] = must(accept(listener, NULL, NULL));
	must(close(listener));
	for (int i = 0; i < 2; i++) {
		must(shutdown(ends[i], SHUT_WR));
		CHECK_EQUAL(recv(ends[1 - i], &byte, 1, 0), 0);
	}
	/* The last acknowledgement may still be on its way. */
	for (int i = 0; i < 2; i++)
		CHECK_EQUAL(poll(&(struct pollfd){ ends[i], POLLIN, 0 }, 1, 60000), 1);
}

int main(void)
{
	int ends[2];
	char byte;

	signal(SIGPIPE, SIG_IGN);
	build(ends);

	checkpoint();

	for (int i = 0; i < 2; i++) {
		CHECK_EQUAL(recv(ends[i], &byte, 1, MSG_DONTWAIT), 0);
		CHECK(send(ends[i], "x", 1, MSG_DONTWAIT) == -1 && errno == EPIPE);
	}
	return 0;
}
