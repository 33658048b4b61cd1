// SPDX-License-Identifier: GPL-2.0-only
/* A read of a connection by an io_uring that a thread alone may use waits on, and gets what comes later. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "uring.h"

SUBJECT(.options = "--tcp-established", .ignore = "fd")

int main(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(name);
	int listener = must(socket(AF_INET, SOCK_STREAM, 0)), client = must(socket(AF_INET, SOCK_STREAM, 0)), served;
	struct io_uring_sqe *sqe;
	struct uring u;
	char text[16] = "";

	must(bind(listener, (struct sockaddr *)&name, sizeof(name)));
	must(listen(listener, 5));
	must(getsockname(listener, (struct sockaddr *)&name, &size));
	must(connect(client, (struct sockaddr *)&name, sizeof(name)));
	served = must(accept(listener, NULL, NULL));
	uring_make(&u, 4, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
	sqe = uring_next(&u, 5);
	sqe->opcode = IORING_OP_READ;
	sqe->fd = served;
	sqe->addr = (uintptr_t)text;
	sqe->len = sizeof(text);
	uring_put(&u);
	CHECK_EQUAL(uring_enter(&u, 1, 0), 1);

	checkpoint();

	CHECK(uring_peek(&u) == NULL);
	CHECK_EQUAL(write(client, "it came", 8), 8);
	CHECK_EQUAL(uring_enter(&u, 0, 1), 0);
	CHECK_EQUAL(uring_peek(&u)->user_data, 5);
	CHECK_EQUAL(uring_peek(&u)->res, 8);
	CHECK_EQUAL(strcmp(text, "it came"), 0);
	return 0;
}
