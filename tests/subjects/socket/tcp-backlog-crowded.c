// SPDX-License-Identifier: GPL-2.0-only
/* A server with thousands of connections, at whose socket somebody waits: more descriptors than select(2) can wait for.
 */
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT(.options = "--tcp-established", .ways = "plain left", .seconds = 60)

#define PAIRS 1600

static struct sockaddr_in name = { AF_INET, 0, { 0 }, { 0 } };

static int connect_to(void)
{
	int fd = must(socket(AF_INET, SOCK_STREAM, 0));

	must(connect(fd, (struct sockaddr *)&name, sizeof(name)));
	return fd;
}

static void exchange(int from, int to)
{
	char byte = 0;

	CHECK_EQUAL(send(from, "x", 1, MSG_NOSIGNAL), 1);
	CHECK_EQUAL(recv(to, &byte, 1, 0), 1);
	CHECK(byte == 'x');
}

int main(void)
{
	struct rlimit limit;
	socklen_t size = sizeof(name);
	static int clients[PAIRS], servers[PAIRS];
	int listener, waits;

	must(getrlimit(RLIMIT_NOFILE, &limit));
	if (limit.rlim_max < 2 * PAIRS + 100)
		skip("it may not open enough files");
	limit.rlim_cur = 2 * PAIRS + 100;
	must(setrlimit(RLIMIT_NOFILE, &limit));
	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = must(socket(AF_INET, SOCK_STREAM, 0));
	must(bind(listener, (struct sockaddr *)&name, sizeof(name)));
	must(listen(listener, 5));
	must(getsockname(listener, (struct sockaddr *)&name, &size));
	for (int i = 0; i < PAIRS; i++) {
		clients[i] = connect_to();
		servers[i] = must(accept(listener, NULL, NULL));
	}
	waits = connect_to();

	checkpoint();

	for (int i = 0; i < PAIRS; i++) {
		exchange(clients[i], servers[i]);
		exchange(servers[i], clients[i]);
	}
	servers[0] = accept(listener, NULL, NULL);
	exchange(servers[0], waits);
	return 0;
}
