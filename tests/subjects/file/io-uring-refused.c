// SPDX-License-Identifier: GPL-2.0-only
/* Requests of an io_uring that are under way cannot be saved: refused, telling what they are, and no harm done. */
#include <poll.h>
#include <sys/eventfd.h>

#include "uring.h"

SUBJECT(.refused = "a request \\(POLL_ADD, user data 0x4d\\) is under way, and cannot be saved: it is linked")

int main(void)
{
	struct uring u;
	struct io_uring_sqe *sqe;
	int fd = must(eventfd(0, 0));

	uring_make(&u, 8, 0);
	sqe = uring_next(&u, 77);
	sqe->opcode = IORING_OP_POLL_ADD;
	sqe->fd = fd;
	sqe->poll32_events = POLLIN;
	sqe->flags = IOSQE_IO_LINK;
	uring_put(&u);
	uring_next(&u, 78);
	uring_put(&u);
	CHECK_EQUAL(uring_enter(&u, 2, 0), 2);

	checkpoint();

	must(eventfd_write(fd, 1));
	CHECK_EQUAL(uring_enter(&u, 0, 2), 0);
	CHECK_EQUAL(uring_peek(&u)->user_data, 77);
	CHECK_EQUAL(uring_peek(&u)->res, POLLIN);
	return 0;
}
