// SPDX-License-Identifier: GPL-2.0-only
/* An io_uring that one thread alone may use stays that thread's, with requests without completion and completions of
 * others; a thread's registered number of it stays. */
#include <pthread.h>

#include "uring.h"

#define REGISTER_RING_FDS 20 /* IORING_REGISTER_RING_FDS */
#define ENTER_REGISTERED  (1u << 4)

SUBJECT()

static struct uring rings[2], sender;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void send_one(const struct uring *own, uint64_t user_data)
{
	struct io_uring_sqe *sqe;

	pthread_mutex_lock(&lock);
	sqe = uring_next(&sender, 1);
	sqe->opcode = IORING_OP_MSG_RING;
	sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
	sqe->fd = own->fd;
	sqe->off = user_data;
	uring_put(&sender);
	CHECK_EQUAL(uring_enter(&sender, 1, 0), 1);
	pthread_mutex_unlock(&lock);
}

static void skip_one(struct uring *own)
{
	uring_next(own, 1)->flags = IOSQE_CQE_SKIP_SUCCESS;
	uring_put(own);
	CHECK_EQUAL(uring_enter(own, 1, 0), 1);
}

static void *work(void *more)
{
	struct uring *own = &rings[more != NULL];
	struct io_uring_rsrc_update update = { .offset = 3 };
	uint32_t taken, made;

	uring_make(own, 4, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
	update.data = (uint64_t)own->fd;
	must(syscall(SYS_io_uring_register, own->fd, REGISTER_RING_FDS, &update, 1));
	uring_nops(own, 6, 100);
	uring_take(own, 6, 100);
	for (unsigned i = 0; i < 9; i++) {
		if (!more) {
			skip_one(own);
			continue;
		}
		send_one(own, 50 + i);
		CHECK_EQUAL(uring_enter(own, 0, 1), 0);
		uring_take(own, 1, 50 + i);
	}
	uring_nops(own, 2, 10);
	taken = *own->sq_head;
	made = *own->cq_tail;

	wait_for_restore();

	CHECK_EQUAL(*own->sq_head, taken);
	CHECK_EQUAL(*own->cq_tail, made);
	uring_take(own, 2, 10);
	uring_next(own, 11);
	uring_put(own);
	CHECK_EQUAL(syscall(SYS_io_uring_enter, 3, 1, 0, ENTER_REGISTERED, NULL, 0), 1);
	uring_take(own, 1, 11);
	return NULL;
}

int main(void)
{
	pthread_t threads[2];

	uring_make(&sender, 16, 0);
	CHECK_EQUAL(pthread_create(&threads[0], NULL, work, NULL), 0);
	CHECK_EQUAL(pthread_create(&threads[1], NULL, work, &lock), 0);
	checkpoint_with(2);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	return 0;
}
