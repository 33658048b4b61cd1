// SPDX-License-Identifier: GPL-2.0-only
/* Named datagram sockets keep their clients, and a server that has a peer of its own keeps those too, in whatever order
 * they were made. */
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

/* Who sent what waits in the socket: the name of the socket, and the process. */
static void check_sender(int fd, const char *text, const char *name, size_t name_size, pid_t pid, uid_t uid)
{
	char control[CMSG_SPACE(sizeof(struct ucred))], buffer[32] = "";
	struct sockaddr_un from = { 0 };
	struct iovec iov = { buffer, sizeof(buffer) };
	struct msghdr message = { .msg_name = &from,
				  .msg_namelen = sizeof(from),
				  .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct ucred sender;

	CHECK_EQUAL(recvmsg(fd, &message, MSG_DONTWAIT), strlen(text));
	CHECK(!strcmp(buffer, text));
	CHECK_EQUAL(message.msg_namelen, name_size ? offsetof(struct sockaddr_un, sun_path) + name_size : 0);
	CHECK(!memcmp(from.sun_path, name, name_size));
	CHECK(CMSG_FIRSTHDR(&message) && CMSG_FIRSTHDR(&message)->cmsg_type == SCM_CREDENTIALS);
	memcpy(&sender, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(sender));
	CHECK_EQUAL(sender.pid, pid);
	CHECK_EQUAL(sender.uid, uid);
}

static int notified;

static int notifier(void *unused)
{
	struct sockaddr_un address = make_address("notified");
	int fd = must(socket(AF_UNIX, SOCK_DGRAM, 0));

	must(setresuid(1001, 1001, 1001));
	CHECK_EQUAL(sendto(fd, "ready", 5, 0, (struct sockaddr *)&address, sizeof(address)), 5);
	wait_for_restore();
	return 0;
}

/* A server with messages from sockets of all sorts, of other processes, and one that is gone. */
static pid_t build_notified(void)
{
	struct sockaddr_un address = make_address("notified"),
			   abstract = { .sun_family = AF_UNIX, .sun_path = "\0client" };
	int gone, client = must(socket(AF_UNIX, SOCK_DGRAM, 0)), on = 1;
	pid_t pid;

	notified = bound("notified");
	must(chmod("notified", 0777));
	must(chmod(".", 0777));
	must(setsockopt(notified, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	gone = bound("gone");
	CHECK_EQUAL(sendto(gone, "last", 4, 0, (struct sockaddr *)&address, sizeof(address)), 4);
	must(close(gone));
	must(unlink("gone"));
	must(bind(client, (struct sockaddr *)&abstract, offsetof(struct sockaddr_un, sun_path) + 7));
	CHECK_EQUAL(sendto(client, "abstract", 8, 0, (struct sockaddr *)&address, sizeof(address)), 8);
	pid = start_child(notifier, NULL);
	return pid;
}

static void check_notified(pid_t pid)
{
	check_sender(notified, "last", "gone", 5, getpid(), 0);
	check_sender(notified, "abstract", "\0client", 7, getpid(), 0);
	check_sender(notified, "ready", "", 0, pid, 1001);
	CHECK(!unlink("notified"));
	join_child(pid, 0);
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
	pid_t pid = build_notified();

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

	checkpoint_with(1);

	check_early(early);
	check_notified(pid);
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
