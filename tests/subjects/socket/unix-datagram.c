// SPDX-License-Identifier: GPL-2.0-only
/* Named datagram sockets keep their clients, and a server that has a peer of its own keeps those too, in whatever order they were made. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "subject.h"

SUBJECT()

static struct sockaddr_un make_address(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(address.sun_path, name);
	return address;
}

static int bound(const char *name)
{
	struct sockaddr_un address = make_address(name);
	int fd = must(socket(AF_UNIX, SOCK_DGRAM, 0));

	must(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

static void connect_to(int fd, const char *name)
{
	struct sockaddr_un address = make_address(name);

	must(connect(fd, (struct sockaddr *)&address, sizeof(address)));
}

static void check_message(int from, int to, const char *text)
{
	char buffer[32] = "";

	CHECK_EQUAL(send(from, text, strlen(text), 0), strlen(text));
	CHECK_EQUAL(recv(to, buffer, sizeof(buffer), 0), strlen(text));
	CHECK(!strcmp(buffer, text));
}

/* The client comes first, then the one it is connected to, which has a peer and options of its own. */
static void build_early(int early[3])
{
	int on = 1;

	for (int i = 0; i < 3; i++)
		early[i] = must(socket(AF_UNIX, SOCK_DGRAM, 0));
	for (int i = 1; i < 3; i++) {
		struct sockaddr_un address = make_address(i == 1 ? "middle" : "last");

		must(bind(early[i], (struct sockaddr *)&address, sizeof(address)));
	}
	connect_to(early[0], "middle");
	connect_to(early[1], "last");
	must(setsockopt(early[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
}

static void check_early(const int early[3])
{
	int on = 0;
	socklen_t size = sizeof(on);

	check_message(early[1], early[2], "through");
	CHECK(!getsockopt(early[1], SOL_SOCKET, SO_PASSCRED, &on, &size));
	CHECK_EQUAL(on, 1);
	CHECK(!unlink("middle"));
	CHECK(!unlink("last"));
}

int main(void)
{
	int early[3];

	build_early(early);

	int server = bound("server"), anonymous = must(socket(AF_UNIX, SOCK_DGRAM, 0)), named = bound("client");
	int relay = bound("relay"), a = bound("a"), b = bound("b"), self = bound("self");
	struct sockaddr_un address = { 0 };
	socklen_t size = sizeof(address);
	char text[32];

	connect_to(anonymous, "server");
	connect_to(named, "server");
	must(send(anonymous, "first", 5, 0));
	must(send(named, "second", 6, 0));
	int to_relay = must(socket(AF_UNIX, SOCK_DGRAM, 0));

	connect_to(to_relay, "relay");
	connect_to(relay, "server");
	connect_to(a, "b");
	connect_to(b, "a");
	must(send(a, "to b", 4, 0));
	must(send(b, "to a", 4, 0));
	connect_to(self, "self");
	must(unlink("a"));

	checkpoint();

	check_early(early);
	CHECK_EQUAL(recv(server, text, sizeof(text), 0), 5);
	CHECK_EQUAL(recv(server, text, sizeof(text), 0), 6);
	CHECK_EQUAL(recv(b, text, sizeof(text), 0), 4);
	CHECK_EQUAL(recv(a, text, sizeof(text), 0), 4);
	check_message(anonymous, server, "one");
	check_message(named, server, "two");
	check_message(relay, server, "three");
	/* The kernel lets nobody but its peer send to a connected socket, but the connection from before stays. */
	must(getpeername(to_relay, (struct sockaddr *)&address, &size));
	CHECK(!strcmp(address.sun_path, "relay"));
	check_message(a, b, "five");
	check_message(b, a, "six");
	check_message(self, self, "seven");
	must(unlink("server"));
	must(unlink("client"));
	must(unlink("relay"));
	must(unlink("b"));
	must(unlink("self"));
	return 0;
}
