// SPDX-License-Identifier: GPL-2.0-only
/* Requests of an io_uring that are linked to one that waits come after it, in their order; a time that runs for one
 * runs on; those that wait for all others (IOSQE_IO_DRAIN) wait on. */
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "uring.h"

SUBJECT(.ignore = "fd")

static struct uring u;
static unsigned queued;

static struct io_uring_sqe *queue(uint8_t opcode, int fd, uint8_t flags, uint64_t user_data)
{
	struct io_uring_sqe *sqe = uring_next(&u, user_data);

	sqe->opcode = opcode;
	sqe->fd = fd;
	sqe->flags = flags;
	uring_put(&u);
	queued++;
	return sqe;
}

static void submit(void)
{
	CHECK_EQUAL(uring_enter(&u, queued, 0), queued);
	queued = 0;
}

static void expect(uint64_t user_data, int res)
{
	CHECK_EQUAL(uring_enter(&u, 0, 1), 0);
	CHECK(uring_peek(&u) != NULL);
	CHECK_EQUAL(uring_peek(&u)->user_data, user_data);
	CHECK_EQUAL(uring_peek(&u)->res, res);
	__atomic_store_n(u.cq_head, *u.cq_head + 1, __ATOMIC_RELEASE);
}

/* Of two descriptors in any order. */
static void expect_both(uint64_t first, int first_res, uint64_t second, int second_res)
{
	CHECK_EQUAL(uring_enter(&u, 0, 1), 0);
	CHECK(uring_peek(&u) != NULL);
	if (uring_peek(&u)->user_data == first) {
		expect(first, first_res);
		expect(second, second_res);
	} else {
		expect(second, second_res);
		expect(first, first_res);
	}
}

static struct io_uring_sqe *queue_rw(uint8_t opcode, int fd, uint8_t flags, void *at, uint32_t size, uint64_t position,
				     uint64_t user_data)
{
	struct io_uring_sqe *sqe = queue(opcode, fd, flags, user_data);

	sqe->addr = (uintptr_t)at;
	sqe->len = size;
	sqe->off = position;
	return sqe;
}

static char text[] = "written by the chain", got[64], received[2][16];
static int event, barrier, hard, closed, pair[2], other[2];

/* Waits, writes at a place, syncs, reads it again, closes. */
static void start_chain(void)
{
	struct iovec parts[2] = { { text, 8 }, { text + 8, 12 } };
	int file = must(open("file", O_RDWR | O_CREAT, 0600));

	closed = must(dup(file));
	queue(IORING_OP_POLL_ADD, event, IOSQE_IO_LINK, 10)->poll32_events = POLLIN;
	queue_rw(IORING_OP_WRITEV, file, IOSQE_IO_LINK, parts, 2, 100, 11);
	queue(IORING_OP_FSYNC, file, IOSQE_IO_LINK, 12);
	queue_rw(IORING_OP_READ, file, IOSQE_IO_LINK, got, 20, 100, 13);
	queue(IORING_OP_CLOSE, closed, 0, 14);
	submit();
	parts[0] = parts[1] = (struct iovec){ 0 }; /* the kernel knows them */
}

static void check_chain(void)
{
	CHECK_EQUAL(fcntl(closed, F_GETFD), 0);
	must(eventfd_write(event, 1));
	expect(10, POLLIN);
	expect(11, 20);
	expect(12, 0);
	expect(13, 20);
	expect(14, 0);
	CHECK_EQUAL(strcmp(got, text), 0);
	CHECK_EQUAL(fcntl(closed, F_GETFD), -1);
}

/* Two times that run: one that would not end by itself, one that does. */
static void start_times(void)
{
	struct __kernel_timespec far = { .tv_sec = 1000 }, near = { .tv_sec = 2 };

	queue_rw(IORING_OP_RECV, pair[0], IOSQE_IO_LINK, received[0], 16, 0, 20);
	queue_rw(IORING_OP_LINK_TIMEOUT, -1, 0, &far, 1, 0, 21);
	submit();
	queue_rw(IORING_OP_RECV, other[0], IOSQE_IO_LINK, received[1], 16, 0, 22);
	queue_rw(IORING_OP_LINK_TIMEOUT, -1, 0, &near, 1, 0, 23);
	submit();
}

/* A chain that a failure does not end, with a time of its own in it that has not begun. */
static void start_hard(void)
{
	struct __kernel_timespec time = { .tv_nsec = 1000 };

	queue(IORING_OP_POLL_ADD, hard, IOSQE_IO_HARDLINK, 30)->poll32_events = POLLIN;
	queue_rw(IORING_OP_READ, 99, IOSQE_IO_HARDLINK, got, 1, 0, 31);
	queue_rw(IORING_OP_TIMEOUT, -1, IOSQE_IO_HARDLINK, &time, 1, 0, 32);
	queue(IORING_OP_NOP, -1, 0, 33);
	submit();
}

/* Behind all that is there, and what comes behind this one. */
static void start_deferred(void)
{
	queue(IORING_OP_POLL_ADD, barrier, IOSQE_IO_DRAIN | IOSQE_IO_LINK, 40)->poll32_events = POLLIN;
	queue(IORING_OP_NOP, -1, 0, 41);
	submit();
	queue(IORING_OP_NOP, -1, 0, 50);
	submit();
}

int main(void)
{
	event = must(eventfd(0, 0));
	barrier = must(eventfd(0, 0));
	hard = must(eventfd(0, 0));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, other));
	uring_make(&u, 16, 0);
	uring_nops(&u, 3, 1);
	uring_take(&u, 3, 1);
	start_chain();
	start_times();
	start_hard();
	start_deferred();

	checkpoint();

	CHECK_EQUAL(*u.sq_head, *u.sq_tail);
	must(eventfd_write(barrier, 1));
	expect_both(22, -ECANCELED, 23, -ETIME);
	check_chain();
	CHECK_EQUAL(write(pair[1], "in time", 8), 8);
	expect_both(20, 8, 21, -ECANCELED);
	CHECK_EQUAL(strcmp(received[0], "in time"), 0);
	CHECK(uring_peek(&u) == NULL);
	must(eventfd_write(hard, 1));
	expect(30, POLLIN);
	expect(31, -EBADF);
	expect(32, -ETIME);
	expect(33, 0);
	expect(40, POLLIN);
	expect_both(41, 0, 50, 0);
	return 0;
}
