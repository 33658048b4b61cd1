// SPDX-License-Identifier: GPL-2.0-only
/* A ring to which another one has sent more completions than fit into it at once goes on with its numbers. */
#include "uring.h"

SUBJECT()

#define MESSAGES 40

int main(void)
{
	struct uring small, sender;
	uint32_t tail;

	uring_make(&small, 2, 0);
	uring_make(&sender, 8, 0);
	for (unsigned i = 0; i < MESSAGES; i++) {
		struct io_uring_sqe *sqe = uring_next(&sender, i);

		sqe->opcode = IORING_OP_MSG_RING;
		sqe->fd = small.fd;
		sqe->off = i;
		uring_put(&sender);
		CHECK_EQUAL(uring_enter(&sender, 1, 1), 1);
		uring_take(&sender, 1, i);
		if (i < MESSAGES - 2)
			uring_take(&small, 1, i);
	}
	tail = *small.cq_tail;

	checkpoint();

	CHECK_EQUAL(*small.cq_tail, tail);
	uring_take(&small, 2, MESSAGES - 2);
	uring_nops(&small, 3, 100);
	uring_take(&small, 3, 100);
	return 0;
}
