/* SPDX-License-Identifier: GPL-2.0-only */
/* Page content on its way out: from a stopped process or a shared memory object into a pages image. */
#include "pages/save.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"

#define MAX_PARTS (PAGE_BLOCK_SIZE / PAGE_SIZE_MIN)
/* A shorter run of zeros is written like data: a hole costs a call more. */
#define MIN_HOLE (16u << 10)

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

/* The places in the process that block [offset, offset + size) of the image comes from. Returns their number. */
static unsigned find_parts(const struct save *save, uint64_t offset, size_t size, struct iovec *parts,
			   bool *keep_shared)
{
	const struct page_range *range = find_range(save, offset);
	unsigned n = 0;

	for (uint64_t at = offset; at < offset + size; range++) {
		uint64_t skip = at - range->offset, length = range->nr_pages * page_size();

		if (!(range->flags & PE_PRESENT) || skip >= length)
			continue;
		length -= skip;
		if (length > offset + size - at)
			length = offset + size - at;
		keep_shared[n] = range->flags & PAGE_SHARED;
		parts[n++] = (struct iovec){ (void *)(uintptr_t)(range->start + skip), length };
		at += length;
	}
	return n;
}

static int read_part(const struct page_source *source, char *to, const struct iovec *part)
{
	ssize_t got = io_pread(source->mem, to, part->iov_len, (off_t)(uintptr_t)part->iov_base);

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

		if (done < 0 && errno != EFAULT && errno != EPERM)
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

static int save_block(void *arg, size_t item, unsigned worker)
{
	const struct save *save = arg;
	struct page_block block = { page_mover_buffer(save->mover, worker), PAGE_BLOCK_SIZE,
				    item * (uint64_t)PAGE_BLOCK_SIZE };
	struct iovec parts[MAX_PARTS];
	bool keep_shared[MAX_PARTS];
	unsigned n;

	if (block.size > save->size - block.offset)
		block.size = save->size - block.offset;
	n = find_parts(save, block.offset, block.size, parts, keep_shared);
	if (save->source->pid)
		TRY(read_process(save->source, block.data, parts, keep_shared, n));
	else
		TRY(read_object(save->source, block.data, parts, n));
	return save->sink->write(save->sink, &block);
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

int pages_save(struct page_mover *mover, const struct page_source *source, struct page_sink *sink,
	       struct page_range *ranges, size_t n)
{
	struct save save = {
		.mover = mover,
		.source = source,
		.sink = sink,
		.ranges = ranges,
		.n = n,
		.size = pages_place(ranges, n),
	};

	return page_mover_run(mover, save.size, (save.size + PAGE_BLOCK_SIZE - 1) / PAGE_BLOCK_SIZE, save_block, &save);
}

/* --- sink: a file --- */

/* Length of the data or of the hole (*ret_hole) at the start of the block. */
static size_t measure_run(const char *data, size_t size, bool *ret_hole)
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

static int write_file(struct page_sink *base, struct page_block *block)
{
	struct page_sink_file *sink = (struct page_sink_file *)base;

	for (size_t at = 0; at < block->size;) {
		bool hole;
		size_t size = measure_run(block->data + at, block->size - at, &hole);
		int result = hole ? 0 : io_pwrite(sink->fd, block->data + at, size, (off_t)(block->offset + at));

		if (result < 0)
			return fail(-result, "cannot write %zu bytes to %s", size, sink->name);
		at += size;
	}
	return 0;
}

int page_sink_file_init(struct page_sink_file *sink, int fd, const char *name, uint64_t size)
{
	*sink = (struct page_sink_file){ .sink.write = write_file, .fd = fd, .name = name, .size = size };
	if (size && ftruncate(fd, (off_t)size) < 0)
		return fail_errno("cannot make %s %lu bytes long", name, (unsigned long)size);
	return 0;
}

int pages_save_images(struct page_mover *mover, struct store *store, enum image_id id, uint64_t number,
		      uint32_t pages_id, const struct page_source *source, struct page_range *ranges, size_t n)
{
	AUTO(pagemap_abandon) struct pagemap_writer *writer = NULL;
	AUTO(image_close) struct image *pages = NULL;
	struct page_sink_file sink;
	int fd;

	TRY(pagemap_create(store, id, number, pages_id, &writer));
	for (size_t i = 0; i < n; i++)
		TRY(pagemap_append(writer, ranges[i].start, ranges[i].nr_pages, ranges[i].flags & ~PAGE_SHARED, NULL));
	TRY(pagemap_finish(&writer));

	TRY(image_create(store, &pages, IMAGE_PAGES, pages_id));
	fd = image_fd(pages);
	TRY(fd);
	TRY(page_sink_file_init(&sink, fd, image_get_name(pages), pages_place(ranges, n)));
	TRY(pages_save(mover, source, &sink.sink, ranges, n));
	return image_finish(&pages);
}
