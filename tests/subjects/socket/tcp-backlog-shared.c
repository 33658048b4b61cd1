// SPDX-License-Identifier: GPL-2.0-only
/* TCP connections that wait for accept(2) in sockets that share a port: each keeps its own, in their order. Who is
 * taken out of such a socket cannot be put back, so such a dump must kill. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "subject.h"
#include "tools.h"

SUBJECT(.options = "--tcp-established", .not_ways = "unharmed left")

#define SHARED	  3
#define N_CLIENTS 12

static const struct sockaddr_in address = { .sin_family = AF_INET,
					    .sin_addr.s_addr = __builtin_bswap32(INADDR_LOOPBACK),
					    .sin_port = __builtin_bswap16(4711) };

static int listen_shared(void)
{
	int fd = must(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	const int on = 1;

	must(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)));
	must(bind(fd, (const struct sockaddr *)&address, sizeof(address)));
	must(listen(fd, 16));
	return fd;
}

static int connect_as(char byte)
{
	int fd = must(socket(AF_INET, SOCK_STREAM, 0));

	must(connect(fd, (const struct sockaddr *)&address, sizeof(address)));
	must(send(fd, &byte, 1, 0));
	return fd;
}

/* The bytes tell which they are. */
static void check_one(int listener, unsigned waiting)
{
	unsigned last = 0;

	for (unsigned n = 0; n < waiting; n++) {
		int fd = accept(listener, NULL, NULL);
		char byte = 0;

		CHECK(fd >= 0);
		CHECK_EQUAL(recv(fd, &byte, 1, 0), 1);
		CHECK((unsigned)byte > last);
		last = (unsigned)byte;
	}
	CHECK(accept(listener, NULL, NULL) == -1 && errno == EAGAIN);
}

int main(void)
{
	int shared[SHARED];
	unsigned waiting[SHARED];

	need_linux(6, 10, "TCP connections that wait for accept(2)");
	for (int i = 0; i < SHARED; i++)
		shared[i] = listen_shared();
	for (char i = 1; i <= N_CLIENTS; i++)
		connect_as(i);
	for (int i = 0; i < SHARED; i++)
		waiting[i] = tcp_waiting(shared[i]);
	CHECK_EQUAL(waiting[0] + waiting[1] + waiting[2], N_CLIENTS);

	checkpoint();

	for (int i = 0; i < SHARED; i++)
		check_one(shared[i], waiting[i]);
	return 0;
}
