/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page content on its way in. Each block is read into a cache-sized buffer and placed from there. Placing from a
 * mapping of the image instead is as fast for big files only and makes this process as big as the image.
 */
#include "pages/fill.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "base/fail.h"
#include "base/interrupt.h"
#include "base/vector.h"
#include "pages/place.h"

/* Workers share out whole units of this size; it is also what a huge page on most CPUs has. */
#define UNIT (2u << 20)

/* The ranges [first, end) of one worker's turn, without the first `skip` bytes and cut off after `size` bytes. */
struct fill_job {
	size_t first;
	uint64_t skip, size;
};

struct fill {
	struct page_mover *mover;
	const struct page_target *target;
	const struct stored_range *ranges;
	VECTOR(struct fill_job) jobs;
	uint64_t size;
	atomic_ullong compared, equal;
};

static uint64_t smaller_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Cuts where an address is a multiple of UNIT and enough has come together. */
static void make_jobs(struct fill *fill, size_t n)
{
	struct fill_job job = { 0 };

	for (size_t i = 0; i < n; i++) {
		const struct stored_range *range = &fill->ranges[i];

		for (uint64_t at = 0; at < range->size;) {
			uint64_t address = range->start + at;
			uint64_t size = smaller_of(range->size - at, UNIT - address % UNIT);
			bool new_unit = at || i == 0 || address / UNIT != (range[-1].start + range[-1].size - 1) / UNIT;

			if (job.size >= UNIT / 2 && new_unit) {
				*vector_push(&fill->jobs) = job;
				job.size = 0;
			}
			if (job.size == 0)
				job = (struct fill_job){ .first = i, .skip = at };
			job.size += size;
			at += size;
		}
		fill->size += range->size;
	}
	if (job.size)
		*vector_push(&fill->jobs) = job;
}

/* Reads the buffered of a block, neighbours in the image in one call. Holes need no reading, but the buffer must be
 * zero.
 */
static int read_ranges(const struct buffered_range *buffered, unsigned n)
{
	for (unsigned i = 0; i < n;) {
		const struct buffered_range *first = &buffered[i];
		uint64_t size = first->size;

		for (i++; i < n && buffered[i].file == first->file && buffered[i].offset == first->offset + size; i++)
			size += buffered[i].size;
		if (first->file->sparse) {
			off_t data = lseek(first->file->fd, (off_t)first->offset, SEEK_DATA);

			if ((data < 0 && errno == ENXIO) || (data >= 0 && (uint64_t)data >= first->offset + size)) {
				memset(first->data, 0, size);
				continue;
			}
		}
		TRY(pages_file_read(first->file, first->data, size, first->offset));
	}
	return 0;
}

static int fill_block(struct fill *fill, const struct buffered_range *buffered, unsigned n)
{
	struct page_count count = { 0 };
	uint64_t size = 0;

	TRY(interrupt_check());
	TRY(read_ranges(buffered, n));
	TRY(pages_put(fill->target, buffered, n, &count));
	if (count.compared) {
		atomic_fetch_add(&fill->compared, count.compared);
		atomic_fetch_add(&fill->equal, count.equal);
	}
	for (unsigned i = 0; i < n; i++)
		size += buffered[i].size;
	return page_mover_pass(fill->mover, size, 0);
}

static int fill_job(void *arg, size_t number, unsigned worker)
{
	struct fill *fill = arg;
	const struct fill_job *job = &fill->jobs.items[number];
	const struct stored_range *range = &fill->ranges[job->first];
	char *buffer = page_mover_buffer(fill->mover, worker);
	struct buffered_range buffered[PAGE_BLOCK_SIZE / PAGE_SIZE_MIN];
	uint64_t skip = job->skip, left = job->size, used = 0;
	unsigned n = 0;

	while (left) {
		uint64_t size = smaller_of(smaller_of(range->size - skip, left), PAGE_BLOCK_SIZE - used);

		buffered[n++] = (struct buffered_range){
			.address = range->start + skip,
			.data = buffer + used,
			.size = size,
			.offset = range->offset + skip,
			.file = range->file,
			.how = range->how,
		};
		used += size;
		left -= size;
		skip += size;
		if (skip == range->size) {
			range++;
			skip = 0;
		}
		if (used == PAGE_BLOCK_SIZE || left == 0) {
			TRY(fill_block(fill, buffered, n));
			used = 0;
			n = 0;
		}
	}
	return 0;
}

/* What comes through a stream comes in the order of the ranges. */
static bool is_streamed(const struct stored_range *ranges, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ranges[i].file && ranges[i].file->pipe)
			return true;
	return false;
}

int pages_fill(struct page_mover *mover, const struct page_target *target, const struct stored_range *ranges, size_t n,
	       struct pages_filled *filled)
{
	struct fill fill = { .mover = mover, .target = target, .ranges = ranges };
	int result;

	make_jobs(&fill, n);
	/* Few bytes are moved by this thread alone. */
	result = page_mover_run(mover, is_streamed(ranges, n) ? 0 : fill.size, fill.jobs.n, fill_job, &fill);
	vector_done(&fill.jobs);
	if (filled)
		*filled = (struct pages_filled){ fill.compared, fill.equal };
	return result;
}
