// SPDX-License-Identifier: GPL-2.0-only
/* What is registered with an io_uring stays: files with gaps and tags, an eventfd that is told of completions, limits
 * of its workers; also of one that a thread alone may use. */
#include <poll.h>
#include <sys/eventfd.h>

#include "uring.h"

#define REGISTER_FILES2	     13
#define REGISTER_MAX_WORKERS 19

SUBJECT()

static int call(struct uring *u, unsigned opcode, void *arg, unsigned n)
{
	return (int)syscall(SYS_io_uring_register, u->fd, opcode, arg, n);
}

static void build(struct uring *u, uint32_t setup, int eventfd_fd, int data)
{
	int32_t fds[4] = { -1, data, -1, eventfd_fd };
	uint64_t tags[4] = { 0, 0, 0, 99 };
	struct io_uring_rsrc_register table = { .nr = 4, .data = (uintptr_t)fds, .tags = (uintptr_t)tags };
	uint32_t workers[2] = { 3, 2 };

	uring_make(u, 8, setup);
	uring_nops(u, 2, 5);
	uring_take(u, 2, 5);
	must(call(u, REGISTER_FILES2, &table, sizeof(table)));
	must(call(u, IORING_REGISTER_EVENTFD, &eventfd_fd, 1));
	must(call(u, REGISTER_MAX_WORKERS, workers, 2));
}

static void check(struct uring *u, int eventfd_fd)
{
	struct io_uring_sqe *sqe = uring_next(u, 7);
	struct pollfd wait = { .fd = eventfd_fd, .events = POLLIN };
	uint32_t workers[2] = { 0, 0 };
	uint64_t told = 0;
	char text[8] = "";

	CHECK(read(eventfd_fd, &told, sizeof(told)) < 0 && errno == EAGAIN);
	sqe->opcode = IORING_OP_READ;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = 1;
	sqe->addr = (uintptr_t)text;
	sqe->len = 5;
	uring_put(u);
	CHECK_EQUAL(uring_enter(u, 1, 1), 1);
	CHECK_EQUAL(uring_peek(u)->user_data, 7);
	CHECK_EQUAL(uring_peek(u)->res, 5);
	__atomic_store_n(u->cq_head, *u->cq_head + 1, __ATOMIC_RELEASE);
	CHECK_EQUAL(strcmp(text, "hello"), 0);
	/* A worker makes the completion visible before it tells the eventfd. */
	CHECK_EQUAL(poll(&wait, 1, -1), 1);
	CHECK_EQUAL(read(eventfd_fd, &told, sizeof(told)), sizeof(told));
	CHECK_EQUAL(told, 1);
	CHECK_EQUAL(call(u, REGISTER_MAX_WORKERS, workers, 2), 0);
	CHECK_EQUAL(workers[0], 3);
	CHECK_EQUAL(workers[1], 2);
	sqe = uring_next(u, 8);
	sqe->opcode = IORING_OP_READ;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = 2;
	uring_put(u);
	CHECK_EQUAL(uring_enter(u, 1, 1), 1);
	CHECK_EQUAL(uring_peek(u)->res, -EBADF);
	__atomic_store_n(u->cq_head, *u->cq_head + 1, __ATOMIC_RELEASE);
	/* The tag comes when the last that used it is gone. */
	CHECK_EQUAL(call(u, IORING_UNREGISTER_FILES, NULL, 0), 0);
	CHECK(uring_enter(u, 0, 1) >= 0);
	CHECK(uring_peek(u) != NULL);
	CHECK_EQUAL(uring_peek(u)->user_data, 99);
}

int main(void)
{
	struct uring all, own;
	int fd = must(open("data", O_RDWR | O_CREAT, 0600));
	int first = must(eventfd(0, EFD_NONBLOCK)), second = must(eventfd(0, EFD_NONBLOCK));

	CHECK_EQUAL(write(fd, "hello", 5), 5);
	build(&all, 0, first, fd);
	build(&own, IORING_SETUP_SINGLE_ISSUER, second, fd);

	checkpoint();

	check(&all, first);
	check(&own, second);
	return 0;
}
