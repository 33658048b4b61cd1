/* SPDX-License-Identifier: GPL-2.0-only */
/* Page content on its way out: from a stopped process or a shared memory object to a sink. */
#include "pages/save.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/io.h"
#include "base/pool.h"

#define MAX_PARTS (PAGE_BLOCK_SIZE / PAGE_SIZE_MIN)

struct save {
	struct page_mover *mover;
	const struct page_source *source;
	struct page_sink *sink;
	const struct page_range *ranges;
	size_t n;
	uint64_t size;
};

/* The range that has byte `offset` of the image. */
static const struct page_range *find_range(const struct save *save, uint64_t offset)
{
	size_t low = 0, high = save->n;

	/* Of ranges with the same offset only the last one has data. */
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (save->ranges[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return &save->ranges[low];
}

/* The next area of the process often follows without a gap: one part is looked up once. */
static bool continues_part(const struct iovec *part, uint64_t start)
{
	return (uint64_t)(uintptr_t)part->iov_base + part->iov_len == start;
}

/* The places in the process that block [offset, offset + size) of the image comes from. Returns their number. */
static unsigned find_parts(const struct save *save, uint64_t offset, size_t size, struct iovec *parts,
			   bool *keep_shared)
{
	const struct page_range *range = find_range(save, offset);
	unsigned n = 0;

	for (uint64_t at = offset; at < offset + size; range++) {
		uint64_t skip = at - range->offset, length = range->nr_pages * page_size();
		bool shared = range->flags & PAGE_SHARED;

		if (!(range->flags & PE_PRESENT) || skip >= length)
			continue;
		length -= skip;
		if (length > offset + size - at)
			length = offset + size - at;
		at += length;
		if (n && keep_shared[n - 1] == shared && continues_part(&parts[n - 1], range->start + skip)) {
			parts[n - 1].iov_len += length;
			continue;
		}
		keep_shared[n] = shared;
		parts[n++] = (struct iovec){ (void *)(uintptr_t)(range->start + skip), length };
	}
	return n;
}

/* Some of it is gone. */
static int read_page_by_page(const struct page_source *source, char *to, const struct iovec *part)
{
	size_t page = page_size();

	for (size_t at = 0; at < part->iov_len; at += page)
		if (io_pread(source->mem, to + at, page, (off_t)(uintptr_t)part->iov_base + (off_t)at) != (ssize_t)page)
			memset(to + at, 0, page);
	return 0;
}

static int read_part(const struct page_source *source, char *to, const struct iovec *part)
{
	ssize_t got = io_pread(source->mem, to, part->iov_len, (off_t)(uintptr_t)part->iov_base);

	if (source->runs && got < (ssize_t)part->iov_len)
		return read_page_by_page(source, to, part);
	if (got < 0)
		return fail((int)-got, "cannot read %zu bytes of memory at %#lx", part->iov_len,
			    (unsigned long)part->iov_base);
	if ((size_t)got < part->iov_len && source->pid)
		return fail(ESRCH, "cannot read memory of process %d", source->pid);
	/* The last page of a shared memory object may be used in part. */
	memset(to + got, 0, part->iov_len - (size_t)got);
	return 0;
}

/* One call for all parts; where it stops (no read permission), that part comes through /proc/PID/mem. */
static int read_parts(const struct page_source *source, char *to, struct iovec *parts, unsigned n)
{
	while (n) {
		struct iovec local = { to, PAGE_BLOCK_SIZE };
		ssize_t done = process_vm_readv(source->pid, &local, 1, parts, n, 0);

		if (done < 0 && errno != EFAULT && errno != EPERM && !source->runs)
			return fail_errno("cannot read memory of process %d", source->pid);
		for (; n && done >= (ssize_t)parts->iov_len; parts++, n--) {
			done -= (ssize_t)parts->iov_len;
			to += parts->iov_len;
		}
		if (n == 0)
			break;
		TRY(read_part(source, to, parts));
		to += parts->iov_len;
		parts++;
		n--;
	}
	return 0;
}

static int read_process(const struct page_source *source, char *to, struct iovec *parts, const bool *keep_shared,
			unsigned n)
{
	for (unsigned i = 0, next; i < n; i = next) {
		if (keep_shared[i]) {
			TRY(read_part(source, to, &parts[i]));
			to += parts[i].iov_len;
			next = i + 1;
			continue;
		}
		for (next = i; next < n && !keep_shared[next]; next++)
			;
		TRY(read_parts(source, to, &parts[i], next - i));
		for (unsigned k = i; k < next; k++)
			to += parts[k].iov_len;
	}
	return 0;
}

static int read_object(const struct page_source *source, char *to, const struct iovec *parts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		TRY(read_part(source, to, &parts[i]));
		to += parts[i].iov_len;
	}
	return 0;
}

/* The last one that begins at the address or below. */
static const struct page_copy *find_copy(const struct page_source *source, uint64_t address)
{
	size_t low = 0, high = source->n_places;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (source->places[middle].start <= address)
			low = middle;
		else
			high = middle;
	}
	return &source->places[low];
}

static int read_from_places(const struct page_source *source, char *to, const struct iovec *part)
{
	const uint64_t start = (uintptr_t)part->iov_base, end = start + part->iov_len;

	for (uint64_t at = start; at < end;) {
		const struct page_copy *place = find_copy(source, at);
		uint64_t stop = place->end < end ? place->end : end;
		ssize_t got;

		if (at < place->start || at >= place->end)
			return fail(EFAULT, "the page at %#lx was not copied", (unsigned long)at);
		got = io_pread(place->fd, to, stop - at, (off_t)(place->offset + at - place->start));
		if (got < 0)
			return fail((int)-got, "reading a copy of memory");
		memset(to + got, 0, stop - at - (size_t)got);
		to += stop - at;
		at = stop;
	}
	return 0;
}

static int read_places(const struct page_source *source, char *to, const struct iovec *parts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		TRY(read_from_places(source, to, &parts[i]));
		to += parts[i].iov_len;
	}
	return 0;
}

static int save_block(void *arg, size_t item, unsigned worker)
{
	const struct save *save = arg;
	struct page_block block = { page_mover_buffer(save->mover, worker), PAGE_BLOCK_SIZE,
				    item * (uint64_t)PAGE_BLOCK_SIZE };
	struct iovec parts[MAX_PARTS];
	bool keep_shared[MAX_PARTS];
	uint64_t sent;
	unsigned n;

	TRY(interrupt_check());
	if (block.size > save->size - block.offset)
		block.size = save->size - block.offset;
	n = find_parts(save, block.offset, block.size, parts, keep_shared);
	if (save->source->places)
		TRY(read_places(save->source, block.data, parts, n));
	else if (save->source->pid)
		TRY(read_process(save->source, block.data, parts, keep_shared, n));
	else
		TRY(read_object(save->source, block.data, parts, n));
	sent = save->sink->ops->sends_zeros || !page_is_zero(block.data, block.size) ? block.size : 0;
	TRY(save->sink->ops->write(save->sink, &block));
	return page_mover_pass(save->mover, block.size, sent);
}

uint64_t pages_place(struct page_range *ranges, size_t n)
{
	uint64_t size = 0;

	for (size_t i = 0; i < n; i++) {
		ranges[i].offset = size;
		if (ranges[i].flags & PE_PRESENT)
			size += ranges[i].nr_pages * page_size();
	}
	return size;
}

/* The object as it is told to the sink: with its offsets, without flags of our own. */
static struct page_range *place_object(struct page_range *ranges, size_t n, struct page_object *object)
{
	struct page_range *clean = xmalloc((n + 1) * sizeof(*clean));

	object->size = pages_place(ranges, n);
	for (size_t i = 0; i < n; i++) {
		clean[i] = ranges[i];
		clean[i].flags &= ~(PAGE_SHARED | PAGE_EARLY);
	}
	object->ranges = clean;
	object->n = n;
	return clean;
}

int pages_copy(struct page_mover *mover, const struct page_source *source, struct page_sink *sink,
	       const struct page_range *ranges, size_t n, uint64_t size)
{
	struct save save = {
		.mover = mover,
		.source = source,
		.sink = sink,
		.ranges = ranges,
		.n = n,
		.size = size,
	};
	size_t n_blocks = (size + PAGE_BLOCK_SIZE - 1) / PAGE_BLOCK_SIZE;

	if (!sink->ops->in_order)
		return page_mover_run(mover, size, n_blocks, save_block, &save);
	return pages_copy_alone(mover, 0, source, sink, ranges, n, size);
}

int pages_copy_alone(struct page_mover *mover, unsigned worker, const struct page_source *source,
		     struct page_sink *sink, const struct page_range *ranges, size_t n, uint64_t size)
{
	struct save save = {
		.mover = mover,
		.source = source,
		.sink = sink,
		.ranges = ranges,
		.n = n,
		.size = size,
	};

	for (size_t i = 0; i * (uint64_t)PAGE_BLOCK_SIZE < size; i++)
		TRY(save_block(&save, i, worker));
	return 0;
}

int pages_begin(struct page_sink *sink, enum image_id id, uint64_t number, struct page_range *ranges, size_t n,
		struct page_object *ret)
{
	*ret = (struct page_object){ .id = id, .number = number };
	(void)place_object(ranges, n, ret);
	return sink->ops->open(sink, ret);
}

void page_object_done(struct page_object *object)
{
	free((void *)object->ranges);
	*object = (struct page_object){ 0 };
}

int pages_save(struct page_mover *mover, const struct page_source *source, struct page_sink *sink, enum image_id id,
	       uint64_t number, struct page_range *ranges, size_t n)
{
	struct page_object object = { .id = id, .number = number };
	AUTO_FREE struct page_range *clean = place_object(ranges, n, &object);

	if (sink->ops->later)
		return sink->ops->later(sink, source, &object, ranges);
	TRY(sink->ops->open(sink, &object));
	TRY(pages_copy(mover, source, sink, ranges, n, object.size));
	return sink->ops->close(sink);
}
