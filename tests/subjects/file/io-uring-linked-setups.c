// SPDX-License-Identifier: GPL-2.0-only
/* Requests that are linked to one that waits stay so in rings of all sorts, also where they go round the end of the
 * ring. */
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>

#include "uring.h"

SUBJECT()

#define NO_SQARRAY (1u << 16) /* 6.6 */
#define CHAIN	   4

static const uint32_t setups[] = { 0, IORING_SETUP_SQPOLL, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
				   IORING_SETUP_SQE128 | IORING_SETUP_CQE32, NO_SQARRAY };
static struct uring rings[ARRAY_SIZE(setups)];

static void submit(struct uring *u, unsigned n)
{
	if (!(u->params.flags & IORING_SETUP_SQPOLL)) {
		CHECK_EQUAL(uring_enter(u, n, 0), n);
		return;
	}
	must(syscall(SYS_io_uring_enter, u->fd, n, 0, IORING_ENTER_SQ_WAKEUP, NULL, 0));
	while (__atomic_load_n(u->sq_head, __ATOMIC_ACQUIRE) != *u->sq_tail)
		sched_yield();
}

static void wait_for(struct uring *u, uint64_t user_data, int res)
{
	must(syscall(SYS_io_uring_enter, u->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0));
	CHECK(uring_peek(u) != NULL);
	CHECK_EQUAL(uring_peek(u)->user_data, user_data);
	CHECK_EQUAL(uring_peek(u)->res, res);
	__atomic_store_n(u->cq_head, *u->cq_head + 1, __ATOMIC_RELEASE);
}

/* All at once: a thread of the kernel that sees a part of it would cut it. */
static void put_chain(struct uring *u, int event)
{
	const uint32_t first = *u->sq_tail;

	for (unsigned i = 0; i < CHAIN; i++) {
		const uint32_t slot = (first + i) & (u->params.sq_entries - 1);
		struct io_uring_sqe *sqe = (void *)(u->sqes + slot * uring_sqe_size(u));

		memset(sqe, 0, uring_sqe_size(u));
		sqe->opcode = i ? IORING_OP_NOP : IORING_OP_POLL_ADD;
		sqe->fd = event;
		sqe->poll32_events = i ? 0 : POLLIN;
		sqe->user_data = 100 + i;
		sqe->flags = i + 1 < CHAIN ? IOSQE_IO_LINK : 0;
		if (u->array)
			u->array[slot] = slot;
	}
	__atomic_store_n(u->sq_tail, first + CHAIN, __ATOMIC_RELEASE);
}

static void start(struct uring *u, int event)
{
	/* With three of eight slots left. */
	for (unsigned i = 0; i < 5; i++) {
		uring_next(u, i);
		uring_put(u);
	}
	submit(u, 5);
	for (unsigned i = 0; i < 5; i++)
		wait_for(u, i, 0);
	put_chain(u, event);
	submit(u, CHAIN);
	CHECK(uring_peek(u) == NULL);
	/* One that the kernel has not seen, whose place in the ring the chain must not take. */
	if (u->params.flags & IORING_SETUP_SQPOLL)
		return;
	uring_next(u, 200);
	uring_put(u);
}

static void check(struct uring *u, int event)
{
	CHECK(uring_peek(u) == NULL);
	if (!(u->params.flags & IORING_SETUP_SQPOLL)) {
		submit(u, 1);
		wait_for(u, 200, 0);
	}
	must(eventfd_write(event, 1));
	wait_for(u, 100, POLLIN);
	for (unsigned i = 1; i < CHAIN; i++)
		wait_for(u, 100 + i, 0);
	CHECK(uring_peek(u) == NULL);
}

int main(void)
{
	int events[ARRAY_SIZE(setups)];
	bool there[ARRAY_SIZE(setups)];

	for (size_t i = 0; i < ARRAY_SIZE(setups); i++) {
		events[i] = must(eventfd(0, 0));
		there[i] = uring_try(&rings[i], 8, setups[i], 0);
		if (there[i])
			start(&rings[i], events[i]);
	}

	checkpoint();

	for (size_t i = 0; i < ARRAY_SIZE(setups); i++)
		if (there[i])
			check(&rings[i], events[i]);
	return 0;
}
