// SPDX-License-Identifier: GPL-2.0-only
/*
 * An io_uring whose requests a thread of the kernel takes (IORING_SETUP_SQPOLL): one whose thread sleeps, one whose
 * thread goes on looking, one that a child uses as well. Completions are unread, a request waits.
 */
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "uring.h"

SUBJECT()

#define NEED_WAKEUP(u) (__atomic_load_n((uint32_t *)((u)->rings + (u)->params.sq_off.flags), __ATOMIC_SEQ_CST) & 1)

static void make(struct uring *u, unsigned idle_ms)
{
	*u = (struct uring){ .params = { .flags = IORING_SETUP_SQPOLL, .sq_thread_idle = idle_ms } };
	u->fd = (int)syscall(SYS_io_uring_setup, 8, &u->params);
	if (u->fd < 0)
		skip("io_uring_setup: %s", strerror(errno));
	uring_need_kernel();
	uring_map(u);
}

/* The thread sees it by itself, if it does not sleep. */
static void submit(struct uring *u)
{
	uring_put(u);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (NEED_WAKEUP(u))
		must(syscall(SYS_io_uring_enter, u->fd, 1, 0, IORING_ENTER_SQ_WAKEUP, NULL, 0));
}

static void nops(struct uring *u, unsigned n, uint64_t user_data)
{
	uint32_t tail = __atomic_load_n(u->cq_tail, __ATOMIC_ACQUIRE);

	for (unsigned i = 0; i < n; i++) {
		uring_next(u, user_data + i);
		submit(u);
		while (__atomic_load_n(u->cq_tail, __ATOMIC_ACQUIRE) != tail + i + 1)
			sleep_ms(1);
	}
}

static void build(struct uring *u, unsigned idle_ms, int fd)
{
	struct io_uring_sqe *sqe;

	make(u, idle_ms);
	nops(u, 11, 5);
	uring_take(u, 9, 5);
	sqe = uring_next(u, 77);
	sqe->opcode = IORING_OP_POLL_ADD;
	sqe->fd = fd;
	sqe->poll32_events = POLLIN;
	submit(u);
	while (__atomic_load_n(u->sq_head, __ATOMIC_ACQUIRE) != *u->sq_tail)
		sleep_ms(1);
}

static void check(struct uring *u, int fd)
{
	uring_take(u, 2, 14);
	CHECK(uring_peek(u) == NULL);
	must(eventfd_write(fd, 1));
	CHECK(uring_enter(u, 0, 1) >= 0);
	CHECK(uring_peek(u) != NULL);
	CHECK_EQUAL(uring_peek(u)->user_data, 77);
	CHECK_EQUAL(uring_peek(u)->res, POLLIN);
	__atomic_store_n(u->cq_head, *u->cq_head + 1, __ATOMIC_RELEASE);
	nops(u, 3, 30);
	uring_take(u, 3, 30);
}

int main(void)
{
	struct uring sleepy, awake, shared;
	int fds[3], go = must(eventfd(0, 0)), status;
	eventfd_t value;
	pid_t child;

	for (int i = 0; i < 3; i++)
		fds[i] = must(eventfd(0, 0));
	build(&shared, 1, fds[2]);
	child = must(fork());
	if (!child) {
		must(eventfd_read(go, &value));
		check(&shared, fds[2]);
		_exit(0);
	}
	build(&sleepy, 1, fds[0]);
	build(&awake, 2000, fds[1]);
	while (!NEED_WAKEUP(&sleepy))
		sleep_ms(1);

	checkpoint();

	check(&sleepy, fds[0]);
	check(&awake, fds[1]);
	must(eventfd_write(go, 1));
	CHECK_EQUAL(must(waitpid(child, &status, 0)), child);
	CHECK_EQUAL(status, 0);
	return 0;
}
