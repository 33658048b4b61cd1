// SPDX-License-Identifier: GPL-2.0-only
/* AIO rings keep address, size and unread events, also when they have gone round; requests that were under way are
 * complete. */
#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "subject.h"

SUBJECT()

struct ring {
	uint32_t id, nr, head, tail, magic, compat, incompat, size;
	struct io_event events[];
};

static aio_context_t setup(unsigned n)
{
	aio_context_t ring = 0;

	must(syscall(SYS_io_setup, n, &ring));
	return ring;
}

static void submit(aio_context_t ring, struct iocb *one)
{
	CHECK_EQUAL(syscall(SYS_io_submit, ring, 1L, &one), 1);
}

/* n requests that are done at once, with data first, first + 1, ... */
static void turn(aio_context_t ring, int fd, unsigned n, uint64_t first)
{
	while (n--) {
		struct iocb one = { .aio_lio_opcode = IOCB_CMD_POLL,
				    .aio_fildes = (uint32_t)fd,
				    .aio_buf = POLLIN,
				    .aio_data = first++ };

		submit(ring, &one);
	}
}

static void take(aio_context_t ring, unsigned n, uint64_t first)
{
	struct io_event event;

	while (n--) {
		CHECK_EQUAL(syscall(SYS_io_getevents, ring, 1L, 1L, &event, NULL), 1);
		CHECK_EQUAL(event.data, first++);
		CHECK_EQUAL(event.res, POLLIN);
	}
}

static void check_empty(aio_context_t ring)
{
	struct timespec none = { 0 };
	struct io_event event;

	CHECK_EQUAL(syscall(SYS_io_getevents, ring, 1L, 1L, &event, &none), 0);
}

static char in[64][4096] __attribute__((aligned(4096)));

/* Reads that may still be under way when the program is stopped. */
static bool start_reads(aio_context_t ring)
{
	static char block[4096] __attribute__((aligned(4096)));
	int direct = open("direct", O_RDWR | O_CREAT | O_DIRECT, 0600);

	if (direct < 0)
		return false;
	fill(block, sizeof(block), 3);
	for (int i = 0; i < 64; i++)
		must(pwrite(direct, block, sizeof(block), i * 4096));
	for (int i = 0; i < 64; i++) {
		struct iocb read = { .aio_lio_opcode = IOCB_CMD_PREAD,
				     .aio_fildes = (uint32_t)direct,
				     .aio_buf = (uintptr_t)in[i],
				     .aio_nbytes = 4096,
				     .aio_offset = i * 4096,
				     .aio_data = 1 };

		submit(ring, &read);
	}
	return true;
}

static void check_reads(aio_context_t ring)
{
	struct io_event event;

	for (int i = 0; i < 64; i++) {
		CHECK_EQUAL(syscall(SYS_io_getevents, ring, 1L, 1L, &event, NULL), 1);
		CHECK_EQUAL(event.res, 4096);
		check_filled(in[i], 4096, 3);
	}
}

int main(void)
{
	int ready = must(eventfd(1, 0));
	aio_context_t fresh = setup(16), some = setup(32), round = setup(1), gone = setup(5), full = setup(1),
		      busy = setup(64);
	struct ring *r = (void *)round, *f = (void *)full;
	unsigned half = r->nr / 2 + 5, filled = 0;
	struct iocb one = { .aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = (uint32_t)ready, .aio_buf = POLLIN },
		    *list = &one;

	must(syscall(SYS_io_destroy, gone));
	turn(some, ready, 7, 100);
	take(some, 3, 100);
	/* The unread ones lie across the end of the ring. */
	for (int i = 0; i < 3; i++) {
		turn(round, ready, half, 0);
		take(round, half, 0);
	}
	turn(round, ready, half, 500);
	CHECK(r->tail < r->head);
	while (syscall(SYS_io_submit, full, 1L, &list) == 1)
		filled++;

	bool reads = start_reads(busy);

	uint32_t places[] = { r->head, r->tail, f->head, f->tail };

	checkpoint();

	/* Programs may read a ring by themselves and know where they are in it. */
	CHECK_EQUAL(r->head, places[0]);
	CHECK_EQUAL(r->tail, places[1]);
	CHECK_EQUAL(f->head, places[2]);
	CHECK_EQUAL(f->tail, places[3]);
	check_empty(fresh);
	turn(fresh, ready, 5, 1);
	take(fresh, 5, 1);
	take(some, 4, 103);
	check_empty(some);
	take(round, half, 500);
	check_empty(round);
	for (int i = 0; i < 3; i++) {
		turn(round, ready, half, 9);
		take(round, half, 9);
	}
	/* As many slots as before, not one more or less. */
	CHECK_EQUAL(syscall(SYS_io_submit, full, 1L, &list), -1);
	CHECK_EQUAL(errno, EAGAIN);
	for (unsigned i = 0; i < filled; i++)
		take(full, 1, 0);
	check_empty(full);
	CHECK_EQUAL((f->tail + f->nr - f->head) % f->nr, 0);
	if (reads)
		check_reads(busy);
	check_empty(busy);
	CHECK_EQUAL(syscall(SYS_io_submit, gone, 1L, &list), -1);
	must(syscall(SYS_io_destroy, some));
	return 0;
}
