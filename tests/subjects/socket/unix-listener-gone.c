// SPDX-License-Identifier: GPL-2.0-only
/* Connections whose listener is closed: with both ends, with one of them, and one that was never accepted; and sockets
 * of several processes. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

struct ends {
	int client, server, left_client, left_server, reset;
};

static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET };
static int shared[2], common;

static int connect_to(const struct sockaddr_un *address, socklen_t size, int type)
{
	int fd = must(socket(AF_UNIX, type, 0));

	must(connect(fd, (const struct sockaddr *)address, size));
	return fd;
}

static void build(struct ends *e, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = offsetof(struct sockaddr_un, sun_path) + (size_t)sprintf(address.sun_path, "gone%d", type) + 1;
	int listener = must(socket(AF_UNIX, type, 0)), fd;

	must(bind(listener, (struct sockaddr *)&address, size));
	must(listen(listener, 5));
	e->client = connect_to(&address, size, type);
	e->server = must(accept(listener, NULL, NULL));
	send_text(e->client, "to server");
	send_text(e->server, "to client");
	e->left_client = connect_to(&address, size, type);
	fd = must(accept(listener, NULL, NULL));
	send_text(fd, "last from server");
	must(close(fd));
	fd = connect_to(&address, size, type);
	e->left_server = must(accept(listener, NULL, NULL));
	send_text(fd, "last from client");
	must(close(fd));
	e->reset = connect_to(&address, size, type);
	must(close(listener));
	must(unlink(address.sun_path));
	/* Told once that it was reset; that is over before the checkpoint. */
	CHECK(recv(e->reset, &fd, 1, 0) == -1 && errno == ECONNRESET);
}

static void check(struct ends *e, int type)
{
	struct sockaddr_un got = { 0 };
	socklen_t size = sizeof(got);
	char name[16];

	sprintf(name, "gone%d", type);
	CHECK(!getsockname(e->server, (struct sockaddr *)&got, &size));
	CHECK(!strcmp(got.sun_path, name));
	size = sizeof(got);
	CHECK(!getpeername(e->client, (struct sockaddr *)&got, &size));
	CHECK(!strcmp(got.sun_path, name));
	receive_text(e->server, "to server");
	receive_text(e->client, "to client");
	send_text(e->client, "again");
	receive_text(e->server, "again");
	receive_text(e->left_client, "last from server");
	CHECK_EQUAL(recv(e->left_client, name, 1, 0), 0);
	receive_text(e->left_server, "last from client");
	CHECK_EQUAL(recv(e->left_server, name, 1, 0), 0);
	size = sizeof(got);
	CHECK(!getsockname(e->left_server, (struct sockaddr *)&got, &size));
	CHECK(size > offsetof(struct sockaddr_un, sun_path));
	CHECK_EQUAL(recv(e->reset, name, 1, 0), 0);
	CHECK(send(e->reset, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
}

/* Has one end, and shares a listener. */
static int child(void *unused)
{
	int fd;

	must(close(shared[0]));
	wait_for_restore();
	receive_text(shared[1], "to the child");
	send_text(shared[1], "from the child");
	fd = accept(common, NULL, NULL);
	CHECK(fd >= 0);
	send_text(fd, "accepted by the child");
	return 0;
}

int main(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "\0common" };
	socklen_t size = offsetof(struct sockaddr_un, sun_path) + 7;
	struct ends ends[2];
	char byte;
	int fd;

	for (int i = 0; i < 2; i++)
		build(&ends[i], types[i]);
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, shared));
	common = must(socket(AF_UNIX, SOCK_STREAM, 0));
	must(bind(common, (struct sockaddr *)&address, size));
	must(listen(common, 5));
	pid_t pid = start_child(child, NULL);

	must(close(shared[1]));
	send_text(shared[0], "to the child");

	checkpoint_with(1);

	for (int i = 0; i < 2; i++)
		check(&ends[i], types[i]);
	fd = connect_to(&address, size, SOCK_STREAM);
	join_child(pid, 0);
	receive_text(shared[0], "from the child");
	CHECK_EQUAL(recv(shared[0], &byte, 1, 0), 0);
	receive_text(fd, "accepted by the child");
	return 0;
}
