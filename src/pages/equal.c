/* SPDX-License-Identifier: GPL-2.0-only */
/* Which pages of an object are the same as in older images. */
#include "pages/equal.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"

/* Of the buffer of a worker one half is for what is there, the other for what the parent has. */
#define CHUNK (PAGE_BLOCK_SIZE / 2)

struct equal_chunk {
	uint64_t start, size;
	size_t first; /* of its pages in struct compare.equal */
	uint32_t flags;
};

struct compare {
	struct page_mover *mover;
	const struct page_source *source;
	const struct page_reader *parent;
	VECTOR(struct equal_chunk) chunks;
	bool *equal;
};

/* Returns how many bytes are there; the rest reads as zero. What runs may have lost some: that is not looked at. */
static ssize_t read_here(const struct page_source *source, char *to, const struct equal_chunk *chunk)
{
	ssize_t got = io_pread(source->mem, to, chunk->size, (off_t)chunk->start);

	if (source->runs)
		return got < 0 ? 0 : got;
	if (got < 0)
		return fail((int)-got, "cannot read %llu bytes of it at %#llx", (unsigned long long)chunk->size,
			    (unsigned long long)chunk->start);
	memset(to + got, 0, chunk->size - (size_t)got); /* it ends there */
	return (ssize_t)chunk->size;
}

/* The first range of the parent that ends above the address. */
static size_t find_range(const struct page_reader *parent, uint64_t address)
{
	size_t low = 0, high = parent->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (parent->ranges[middle].start + parent->ranges[middle].size <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* What the parent has of [start, start + size), at its place in old; has: which pages. */
static int read_parent(const struct page_reader *parent, const struct equal_chunk *chunk, char *old, bool *has)
{
	uint64_t end = chunk->start + chunk->size;

	for (size_t i = find_range(parent, chunk->start); i < parent->n && parent->ranges[i].start < end; i++) {
		const struct stored_range *range = &parent->ranges[i];
		uint64_t from = range->start > chunk->start ? range->start : chunk->start;
		uint64_t to = range->start + range->size < end ? range->start + range->size : end;

		if (!range->file)
			continue;
		TRY(pages_file_read(range->file, old + (from - chunk->start), to - from,
				    range->offset + (from - range->start)));
		for (uint64_t at = from; at < to; at += page_size())
			has[(at - chunk->start) / page_size()] = true;
	}
	return 0;
}

static int compare_chunk(void *arg, size_t item, unsigned worker)
{
	struct compare *compare = arg;
	const struct equal_chunk *chunk = &compare->chunks.items[item];
	char *here = page_mover_buffer(compare->mover, worker), *old = here + CHUNK;
	bool *equal = &compare->equal[chunk->first];
	const size_t page = page_size();
	ssize_t there;

	TRY(read_parent(compare->parent, chunk, old, equal));
	there = read_here(compare->source, here, chunk);
	TRY(there);
	for (uint64_t at = 0; at < chunk->size; at += page)
		equal[at / page] &= at + page <= (uint64_t)there && memcmp(here + at, old + at, page) == 0;
	return 0;
}

/* Returns the number of pages. */
static size_t split_chunk(struct compare *compare, const page_range_list *ranges)
{
	size_t pages = 0;

	for (size_t i = 0; i < ranges->n; i++) {
		const struct page_range *range = &ranges->items[i];
		uint64_t size = range->nr_pages * page_size();

		for (uint64_t at = 0, length; at < size; at += length) {
			length = size - at < CHUNK ? size - at : CHUNK;
			*vector_push(&compare->chunks) =
				(struct equal_chunk){ range->start + at, length, pages, range->flags };
			pages += length / page_size();
		}
	}
	return pages;
}

static void add_page(page_range_list *ranges, uint64_t start, uint32_t flags)
{
	struct page_range *last = ranges->n ? &ranges->items[ranges->n - 1] : NULL;

	if (last && last->flags == flags && last->start + last->nr_pages * page_size() == start)
		last->nr_pages++;
	else
		*vector_push(ranges) = (struct page_range){ .start = start, .nr_pages = 1, .flags = flags };
}

static void join_chunks(const struct compare *compare, page_range_list *ranges)
{
	ranges->n = 0;
	for (size_t i = 0; i < compare->chunks.n; i++) {
		const struct equal_chunk *chunk = &compare->chunks.items[i];

		for (size_t k = 0; k < chunk->size / page_size(); k++)
			add_page(ranges, chunk->start + k * page_size(),
				 compare->equal[chunk->first + k] ? PE_PARENT : chunk->flags);
	}
}

int pages_find_equal(struct page_mover *mover, const struct page_source *source, const struct page_reader *parent,
		     page_range_list *ranges)
{
	struct compare compare = { .mover = mover, .source = source, .parent = parent };
	size_t pages = split_chunk(&compare, ranges);
	int result;

	compare.equal = xzalloc(pages + 1);
	result = page_mover_run(mover, pages * page_size(), compare.chunks.n, compare_chunk, &compare);
	if (result == 0)
		join_chunks(&compare, ranges);
	vector_done(&compare.chunks);
	free(compare.equal);
	return result;
}
