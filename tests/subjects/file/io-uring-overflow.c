// SPDX-License-Identifier: GPL-2.0-only
/* Completions that wait for room in an io_uring come in their order, each as it was; so does a ring that got more
 * completions than it had requests. */
#include "uring.h"

SUBJECT()

static void send(struct uring *from, struct uring *to, uint64_t user_data, int32_t res)
{
	struct io_uring_sqe *sqe = uring_next(from, 1);

	sqe->opcode = IORING_OP_MSG_RING;
	sqe->fd = to->fd;
	sqe->off = user_data;
	sqe->len = (uint32_t)res;
	uring_put(from);
	CHECK_EQUAL(uring_enter(from, 1, 0), 1);
	CHECK_EQUAL(uring_peek(from)->res, 0);
	__atomic_store_n(from->cq_head, *from->cq_head + 1, __ATOMIC_RELEASE);
}

int main(void)
{
	struct uring full, told, sender;

	uring_make(&full, 4, 0);
	uring_make(&told, 4, 0);
	uring_make(&sender, 4, 0);
	uring_nops(&full, 11, 100); /* there is room for 8 */
	for (int i = 0; i < 5; i++)
		send(&sender, &told, (uint64_t)i << 40, i - 2);
	CHECK_EQUAL(*full.cq_tail, 8);

	checkpoint();

	for (int i = 0; i < 5; i++) {
		struct io_uring_cqe *cqe = uring_peek(&told);

		CHECK(cqe != NULL);
		CHECK_EQUAL(cqe->user_data, (uint64_t)i << 40);
		CHECK_EQUAL(cqe->res, i - 2);
		__atomic_store_n(told.cq_head, *told.cq_head + 1, __ATOMIC_RELEASE);
	}
	CHECK_EQUAL(*told.sq_head, 0);
	uring_take(&full, 8, 100);
	CHECK(uring_peek(&full) == NULL);
	CHECK_EQUAL(uring_enter(&full, 0, 1), 0);
	uring_take(&full, 3, 108);
	uring_nops(&full, 4, 200);
	uring_take(&full, 4, 200);
	return 0;
}
