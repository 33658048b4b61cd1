// SPDX-License-Identifier: GPL-2.0-only
/* Requests of an io_uring that wait for files and times wait on: a poll, also one that goes on, an accept, a receive on
 * connections of all sorts, a read, a time-out. */
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "uring.h"

SUBJECT(.options = "--tcp-established")

static struct uring u;
static char received[3][16];
static uint64_t counter;

static struct io_uring_sqe *next(uint8_t opcode, int fd, uint64_t user_data)
{
	struct io_uring_sqe *sqe = uring_next(&u, user_data);

	sqe->opcode = opcode;
	sqe->fd = fd;
	return sqe;
}

static void submit(void)
{
	uring_put(&u);
	CHECK_EQUAL(uring_enter(&u, 1, 0), 1);
}

static void start_poll(int fd, uint32_t how, uint64_t user_data)
{
	struct io_uring_sqe *sqe = next(IORING_OP_POLL_ADD, fd, user_data);

	sqe->poll32_events = POLLIN;
	sqe->len = how;
	submit();
}

static void start_read(uint8_t opcode, int fd, void *to, uint32_t size, uint64_t user_data)
{
	struct io_uring_sqe *sqe = next(opcode, fd, user_data);

	sqe->addr = (uintptr_t)to;
	sqe->len = size;
	submit();
}

static int wait_one(uint64_t user_data, uint32_t flags)
{
	struct io_uring_cqe *cqe;
	int res;

	CHECK_EQUAL(uring_enter(&u, 0, 1), 0);
	cqe = uring_peek(&u);
	CHECK(cqe != NULL);
	CHECK_EQUAL(cqe->user_data, user_data);
	CHECK_EQUAL(cqe->flags & IORING_CQE_F_MORE, flags);
	res = cqe->res;
	__atomic_store_n(u.cq_head, *u.cq_head + 1, __ATOMIC_RELEASE);
	return res;
}

static int connect_to(const struct sockaddr_in *name)
{
	int fd = must(socket(AF_INET, SOCK_STREAM, 0));

	must(connect(fd, (const struct sockaddr *)name, sizeof(*name)));
	return fd;
}

static void check_again_and_again(int always, const struct sockaddr_in *name)
{
	int fd;

	for (int i = 0; i < 2; i++) {
		uint64_t value;

		must(eventfd_write(always, 1));
		CHECK_EQUAL(wait_one(11, IORING_CQE_F_MORE), POLLIN);
		CHECK_EQUAL(read(always, &value, sizeof(value)), sizeof(value));
		close(connect_to(name));
		fd = wait_one(12, IORING_CQE_F_MORE);
		CHECK(fd >= 0);
		close(fd);
	}
}

int main(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(name);
	struct __kernel_timespec time = { .tv_sec = 1000 };
	int listener = must(socket(AF_INET, SOCK_STREAM, 0)), client, served, pair[2], pipe_fds[2];
	int once = must(eventfd(0, 0)), always = must(eventfd(0, 0)), read_from = must(eventfd(0, 0));
	uint32_t taken;

	must(bind(listener, (struct sockaddr *)&name, sizeof(name)));
	must(listen(listener, 5));
	must(getsockname(listener, (struct sockaddr *)&name, &size));
	client = connect_to(&name);
	served = must(accept(listener, NULL, NULL));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	must(pipe(pipe_fds));
	uring_make(&u, 16, 0);
	uring_nops(&u, 5, 1);
	uring_take(&u, 5, 1);
	start_poll(once, 0, 10);
	start_poll(always, IORING_POLL_ADD_MULTI, 11);
	next(IORING_OP_ACCEPT, listener, 12)->ioprio = IORING_ACCEPT_MULTISHOT;
	submit();
	start_read(IORING_OP_RECV, served, received[0], 16, 13);
	start_read(IORING_OP_READ, pair[0], received[1], 16, 14);
	start_read(IORING_OP_READ, pipe_fds[0], received[2], 16, 15);
	start_read(IORING_OP_READ, read_from, &counter, sizeof(counter), 16);
	start_read(IORING_OP_TIMEOUT, -1, &time, 1, 17);
	uring_nops(&u, 2, 20);
	taken = *u.sq_head;

	checkpoint();

	CHECK_EQUAL(*u.sq_head, taken);
	uring_take(&u, 2, 20);
	CHECK(uring_peek(&u) == NULL);
	next(IORING_OP_TIMEOUT_REMOVE, -1, 18)->addr = 17;
	submit();
	CHECK_EQUAL(wait_one(18, 0), 0);
	CHECK_EQUAL(wait_one(17, 0), -ECANCELED);
	check_again_and_again(always, &name);
	must(eventfd_write(once, 1));
	CHECK_EQUAL(wait_one(10, 0), POLLIN);
	CHECK_EQUAL(write(client, "client", 7), 7);
	CHECK_EQUAL(wait_one(13, 0), 7);
	CHECK_EQUAL(strcmp(received[0], "client"), 0);
	CHECK_EQUAL(write(pair[1], "pair", 5), 5);
	CHECK_EQUAL(wait_one(14, 0), 5);
	CHECK_EQUAL(strcmp(received[1], "pair"), 0);
	CHECK_EQUAL(write(pipe_fds[1], "pipe", 5), 5);
	CHECK_EQUAL(wait_one(15, 0), 5);
	CHECK_EQUAL(strcmp(received[2], "pipe"), 0);
	must(eventfd_write(read_from, 77));
	CHECK_EQUAL(wait_one(16, 0), sizeof(counter));
	CHECK_EQUAL(counter, 77);
	return 0;
}
