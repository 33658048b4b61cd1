// SPDX-License-Identifier: GPL-2.0-only
/* Times of an io_uring that count completions count on; those that come again and again come as often as they were
 * asked to. */
#include "uring.h"

SUBJECT(.ignore = "fd")

#define AGAIN (1u << 6) /* IORING_TIMEOUT_MULTISHOT, Linux 6.4 */
#define TIMES 6

static struct uring u;

static void start(struct __kernel_timespec *time, uint64_t count, uint32_t flags, uint64_t user_data)
{
	struct io_uring_sqe *sqe = uring_next(&u, user_data);

	sqe->opcode = IORING_OP_TIMEOUT;
	sqe->addr = (uintptr_t)time;
	sqe->len = 1;
	sqe->off = count;
	sqe->timeout_flags = flags;
	uring_put(&u);
	CHECK_EQUAL(uring_enter(&u, 1, 0), 1);
}

/* Of those that come again: how often, and whether more will. */
static unsigned seen[2];
static bool more[2] = { true, true };

static bool take(uint64_t *ret)
{
	struct io_uring_cqe *cqe = uring_peek(&u);
	uint64_t which;

	if (!cqe)
		return false;
	*ret = cqe->user_data;
	if (*ret == 20 || *ret == 21) {
		which = *ret - 20;
		CHECK(more[which]);
		CHECK_EQUAL(cqe->res, -ETIME);
		seen[which]++;
		more[which] = cqe->flags & IORING_CQE_F_MORE;
	} else {
		CHECK_EQUAL(cqe->res, 0);
	}
	__atomic_store_n(u.cq_head, *u.cq_head + 1, __ATOMIC_RELEASE);
	return true;
}

static void wait_for(uint64_t wanted)
{
	uint64_t got = 0;

	do {
		CHECK_EQUAL(uring_enter(&u, 0, 1), 0);
		CHECK(take(&got));
	} while (got != wanted);
}

int main(void)
{
	struct __kernel_timespec far = { .tv_sec = 1000 }, soon = { .tv_nsec = 30000000 },
				 often = { .tv_nsec = 20000000 };
	struct uring counting = { 0 };
	uint64_t got;

	/* One counts in a ring of its own: the others would be counted, too. */
	uring_make(&u, 8, 0);
	start(&far, 5, 0, 10);
	uring_nops(&u, 3, 1);
	uring_take(&u, 3, 1);
	CHECK(uring_peek(&u) == NULL);
	counting = u;
	if (!uring_try(&u, 8, IORING_SETUP_CQSIZE, 32768)) /* they end where there is no room */
		skip("io_uring_setup: %s", strerror(errno));
	start(&soon, TIMES, AGAIN, 20);
	start(&often, 0, AGAIN, 21); /* over while it is stopped */
	soon = often = far = (struct __kernel_timespec){ 0 };
	wait_for(20);

	checkpoint();

	while (more[0])
		wait_for(20);
	CHECK_EQUAL(seen[0], TIMES);
	for (unsigned before = seen[1]; seen[1] < before + 2;)
		wait_for(21);
	CHECK(more[1]);
	u = counting;
	CHECK(uring_peek(&u) == NULL);
	uring_nops(&u, 1, 4);
	CHECK_EQUAL(uring_enter(&u, 0, 0), 0);
	CHECK(take(&got) && got == 4);
	CHECK(uring_peek(&u) == NULL);
	uring_nops(&u, 1, 5);
	wait_for(10);
	return 0;
}
