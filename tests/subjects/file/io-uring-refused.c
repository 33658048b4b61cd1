// SPDX-License-Identifier: GPL-2.0-only
/* Requests of an io_uring that are under way cannot be saved: refused, telling what they are, and no harm done. */
#include <poll.h>
#include <sys/eventfd.h>

#include "uring.h"

SUBJECT(.refused = "a request \\(MKDIRAT, user data 0x4e\\) is under way, and cannot be saved: that kind")

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
	sqe = uring_next(&u, 78);
	sqe->opcode = IORING_OP_MKDIRAT;
	sqe->fd = AT_FDCWD;
	sqe->addr = (uintptr_t) "directory";
	sqe->len = 0700;
	uring_put(&u);
	CHECK_EQUAL(uring_enter(&u, 2, 0), 2);

	checkpoint();

	must(eventfd_write(fd, 1));
	CHECK_EQUAL(uring_enter(&u, 0, 2), 0);
	CHECK_EQUAL(uring_peek(&u)->user_data, 77);
	CHECK_EQUAL(uring_peek(&u)->res, POLLIN);
	__atomic_store_n(u.cq_head, *u.cq_head + 1, __ATOMIC_RELEASE);
	CHECK_EQUAL(uring_peek(&u)->user_data, 78);
	CHECK_EQUAL(uring_peek(&u)->res, 0);
	CHECK_EQUAL(access("directory", X_OK), 0);
	return 0;
}
