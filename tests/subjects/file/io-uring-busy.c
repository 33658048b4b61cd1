// SPDX-License-Identifier: GPL-2.0-only
/* Requests of an io_uring that workers of the kernel are at, or the disk: each completes once, with what it should. */
#include <pthread.h>

#include "uring.h"

#define SLOTS 64
#define SIZE  4096

SUBJECT(.seconds = 60, .ignore = "fd threads Threads")

static struct uring u;
static uint8_t (*buffers)[SIZE];
static int fd;

static void submit(uint64_t number)
{
	struct io_uring_sqe *sqe = uring_next(&u, number);

	memset(buffers[number % SLOTS], 0, SIZE);
	sqe->opcode = IORING_OP_READ;
	sqe->flags = number % 2 ? IOSQE_ASYNC : 0;
	sqe->fd = fd;
	sqe->addr = (uintptr_t)buffers[number % SLOTS];
	sqe->len = SIZE;
	sqe->off = number % SLOTS * SIZE;
	uring_put(&u);
	CHECK_EQUAL(uring_enter(&u, 1, 0), 1);
}

/* Each slot is free again when its request has completed. */
static void reap(bool *busy, bool wait)
{
	struct io_uring_cqe *cqe;
	int got;

	do {
		got = wait ? uring_enter(&u, 0, 1) : 0;
	} while (got < 0 && errno == EINTR);
	while ((cqe = uring_peek(&u))) {
		uint64_t slot = cqe->user_data % SLOTS;

		CHECK_EQUAL(cqe->res, SIZE);
		CHECK(busy[slot]);
		check_filled(buffers[slot], SIZE, (unsigned)slot + 1);
		busy[slot] = false;
		__atomic_store_n(u.cq_head, *u.cq_head + 1, __ATOMIC_RELEASE);
	}
}

static void *work(void *arg)
{
	bool busy[SLOTS] = { 0 };

	announce_waiter();
	for (uint64_t number = 0; number < 1000 || !is_restored(); number++) {
		while (busy[number % SLOTS])
			reap(busy, true);
		busy[number % SLOTS] = true;
		submit(number);
		reap(busy, false);
	}
	for (unsigned i = 0; i < SLOTS; i++)
		while (busy[i])
			reap(busy, true);
	return NULL;
}

int main(void)
{
	pthread_t thread;

	uring_make(&u, 2 * SLOTS, 0);
	buffers = must(mmap(NULL, SLOTS * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	fd = must(open("data", O_RDWR | O_CREAT, 0600));
	for (unsigned i = 0; i < SLOTS; i++) {
		fill(buffers[i], SIZE, i + 1);
		CHECK_EQUAL(write(fd, buffers[i], SIZE), SIZE);
	}
	CHECK_EQUAL(pthread_create(&thread, NULL, work, NULL), 0);
	checkpoint_with(1);
	pthread_join(thread, NULL);
	return 0;
}
