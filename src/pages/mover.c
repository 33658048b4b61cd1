/* SPDX-License-Identifier: GPL-2.0-only */
/* Who carries pages: the workers of the session with a cache-sized buffer each, kept for the whole session. */
#include "pages/mover.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/fail.h"
#include "base/meter.h"
#include "base/pool.h"
#include "base/urgent.h"

/* A shorter run of zeros is written like data: a hole costs a call more. */
#define MIN_HOLE (16u << 10)
/* So much is moved before others may run as well: a tenth of a second and less. */
#define URGENT_MOST (256u << 20)

struct page_mover {
	struct workers *workers;
	struct meter *meter;
	unsigned n;
	void **buffers;
	uint64_t urgent; /* bytes moved while others had to wait */
};

struct page_mover *page_mover_create(struct workers *workers, struct meter *meter)
{
	struct page_mover *mover = xzalloc(sizeof(*mover));

	mover->workers = workers;
	mover->meter = meter;
	mover->n = workers_count(workers);
	mover->buffers = xzalloc(mover->n * sizeof(void *));
	for (unsigned i = 0; i < mover->n; i++) {
		/* Costs nothing until it is used. */
		mover->buffers[i] =
			mmap(NULL, PAGE_BLOCK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (mover->buffers[i] == MAP_FAILED)
			out_of_memory();
	}
	return mover;
}

void page_mover_destroy(struct page_mover **ref)
{
	struct page_mover *mover = *ref;

	if (!mover)
		return;
	for (unsigned i = 0; i < mover->n; i++)
		munmap(mover->buffers[i], PAGE_BLOCK_SIZE);
	free(mover->buffers);
	free(mover);
	*ref = NULL;
}

void *page_mover_buffer(struct page_mover *mover, unsigned worker)
{
	return mover->buffers[worker];
}

int page_mover_pass(struct page_mover *mover, uint64_t bytes, uint64_t sent)
{
	return meter_pass(mover->meter, bytes, sent);
}

int page_mover_run(struct page_mover *mover, uint64_t bytes, size_t n_items,
		   int (*run)(void *arg, size_t item, unsigned worker), void *arg)
{
	bool paused;
	int result;

	if (bytes >= PAGE_SHARE_MIN) {
		mover->urgent += bytes;
		paused = mover->urgent > URGENT_MOST && urgent_pause();
		result = workers_run(mover->workers, n_items, run, arg);
		urgent_resume(paused);
		return result;
	}
	for (size_t i = 0; i < n_items; i++)
		TRY(run(arg, i, 0));
	return 0;
}

bool page_is_zero(const void *data, size_t size)
{
	const uint64_t *word = data;

	for (size_t i = 0; i < size / 64; i++, word += 8) {
		if (word[0] | word[1] | word[2] | word[3] | word[4] | word[5] | word[6] | word[7])
			return false;
	}
	return true;
}

size_t page_measure_run(const char *data, size_t size, bool *ret_hole)
{
	size_t zeros = 0, at = 0, page = page_size();

	while (at < size) {
		if (page_is_zero(data + at, page)) {
			zeros += page;
		} else {
			if (zeros >= MIN_HOLE)
				break;
			zeros = 0;
		}
		at += page;
	}
	if (zeros < MIN_HOLE)
		zeros = 0;
	*ret_hole = zeros == at;
	return *ret_hole ? at : at - zeros;
}
