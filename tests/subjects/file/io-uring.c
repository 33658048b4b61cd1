// SPDX-License-Identifier: GPL-2.0-only
/* An io_uring stays where it was in memory and in its rings, with what is unread and what is not yet submitted. */
#include "uring.h"

SUBJECT()

int main(void)
{
	struct uring u, second;
	uint32_t sq, cq;

	uring_make(&u, 8, 0);
	uring_make(&second, 64, 0); /* never used */
	uring_nops(&u, 13, 100);
	uring_take(&u, 13, 100);
	uring_nops(&u, 3, 200);
	uring_next(&u, 300);
	uring_put(&u);	     /* the kernel could take it, but nobody has told it to */
	uring_next(&u, 301); /* the kernel must not see it yet */
	sq = *u.sq_tail;
	cq = *u.cq_tail;

	checkpoint();

	CHECK_EQUAL(*u.sq_head, 16);
	CHECK_EQUAL(*u.sq_tail, sq);
	CHECK_EQUAL(*u.cq_tail, cq);
	CHECK_EQUAL(*u.cq_head, 13);
	uring_put(&u);
	CHECK_EQUAL(uring_enter(&u, 2, 2), 2);
	uring_take(&u, 3, 200);
	uring_take(&u, 2, 300);
	CHECK(uring_peek(&u) == NULL);
	uring_nops(&u, 100 % 16, 400);
	uring_take(&u, 100 % 16, 400);
	CHECK_EQUAL(*second.sq_head, 0);
	uring_nops(&second, 70, 500);
	uring_take(&second, 70, 500);
	return 0;
}
