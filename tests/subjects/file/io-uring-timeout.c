// SPDX-License-Identifier: GPL-2.0-only
/* A time-out of an io_uring comes when its time is over, and not earlier. */
#include <time.h>

#include "uring.h"

SUBJECT(.ignore = "fd", .seconds = 60)

static double now(clockid_t clock)
{
	struct timespec time;

	must(clock_gettime(clock, &time));
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void start(struct uring *u, uint64_t user_data, struct __kernel_timespec time, uint32_t flags)
{
	struct io_uring_sqe *sqe = uring_next(u, user_data);

	sqe->opcode = IORING_OP_TIMEOUT;
	sqe->fd = -1;
	sqe->addr = (uintptr_t)&time;
	sqe->len = 1;
	sqe->timeout_flags = flags;
	uring_put(u);
	CHECK_EQUAL(uring_enter(u, 1, 0), 1);
}

int main(void)
{
	struct uring u;
	double begun, date;

	uring_make(&u, 8, 0);
	begun = now(CLOCK_MONOTONIC);
	date = now(CLOCK_REALTIME) + 5;
	start(&u, 1, (struct __kernel_timespec){ .tv_sec = 5 }, 0);
	start(&u, 2, (struct __kernel_timespec){ .tv_sec = 5 }, IORING_TIMEOUT_BOOTTIME);
	start(&u, 3, (struct __kernel_timespec){ .tv_sec = (int64_t)date },
	      IORING_TIMEOUT_ABS | IORING_TIMEOUT_REALTIME);

	checkpoint();

	for (int n = 0; n < 3; n++) {
		struct io_uring_cqe *cqe = uring_peek(&u);

		if (!cqe)
			CHECK_EQUAL(uring_enter(&u, 0, 1), 0);
		cqe = uring_peek(&u);
		CHECK(cqe != NULL);
		CHECK_EQUAL(cqe->res, -ETIME);
		if (cqe->user_data == 3)
			CHECK(now(CLOCK_REALTIME) >= (double)(int64_t)date);
		else
			CHECK(now(CLOCK_MONOTONIC) >= begun + 5);
		__atomic_store_n(u.cq_head, *u.cq_head + 1, __ATOMIC_RELEASE);
	}
	return 0;
}
