/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages that several processes share are saved with the first of them; the others name the place. */
#include "pages/once.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fail.h"
#include "base/pool.h"
#include "base/table.h"
#include "base/vector.h"
#include "image/image.h"
#include "kern/proc/pagemap.h"
#include "pages/equal.h"
#include "pages/reader.h"

#define WORDS 512 /* of the page tables, at once */
/* A place of the table: number of the pages image, number of the page in it. */
#define PLACE_PAGE_BITS 40

struct once_file {
	struct pages_file file; /* the first member: what a stored range points to */
	uint32_t pages_id;
};

struct page_once {
	struct page_mover *mover;
	struct store *written;
	struct table *places; /* page frame number -> place */
	VECTOR(struct once_file *) files;
	bool blind;
};

/* The pages of one process. */
struct leaving {
	struct page_once *once;
	struct page_tables tables;
	page_range_list rest;	       /* are saved */
	page_range_list maybe;	       /* seem to be saved already, ... */
	struct page_reader candidates; /* ... there */
	size_t capacity;
};

struct page_once *page_once_create(struct page_mover *mover, struct store *written)
{
	struct page_once *once = xzalloc(sizeof(*once));

	once->mover = mover;
	once->written = written;
	once->places = table_create();
	return once;
}

void page_once_destroy(struct page_once **ref)
{
	struct page_once *once = *ref;

	if (!once)
		return;
	for (size_t i = 0; i < once->files.n; i++) {
		image_close(&once->files.items[i]->file.image);
		free(once->files.items[i]);
	}
	vector_done(&once->files);
	table_destroy(&once->places);
	free(once);
	*ref = NULL;
}

bool page_once_is_blind(const struct page_once *once)
{
	return once->blind;
}

static void *make_place(uint32_t pages_id, uint64_t offset)
{
	return (void *)(uintptr_t)((uint64_t)pages_id << PLACE_PAGE_BITS | offset / page_size());
}

static int find_file(struct page_once *once, uint32_t pages_id, const struct pages_file **ret)
{
	struct once_file *one;
	uint64_t size;
	int result;

	for (size_t i = once->files.n; i > 0; i--)
		if (once->files.items[i - 1]->pages_id == pages_id) {
			*ret = &once->files.items[i - 1]->file;
			return 0;
		}
	one = xzalloc(sizeof(*one));
	one->pages_id = pages_id;
	*vector_push(&once->files) = one;
	result = pages_file_open(once->written, pages_id, &one->file, &size);
	*ret = &one->file;
	return result == -ENOENT ? refuse(ENOENT, "pages-%u.img has gone while the dump runs", pages_id) : result;
}

/* --- which pages seem to be there --- */

/* 0: nothing is known of the page. */
static uint64_t find_place(struct page_once *once, uint64_t word)
{
	if (!(word & PAGEMAP_PRESENT) || word & PAGEMAP_EXCLUSIVE)
		return 0;
	if (!(word & PAGEMAP_PFN))
		once->blind = true;
	return (uint64_t)(uintptr_t)table_find(once->places, word & PAGEMAP_PFN);
}

static void add_page(page_range_list *list, uint64_t start, uint32_t flags)
{
	struct page_range *last = list->n ? &list->items[list->n - 1] : NULL;

	if (last && last->flags == flags && last->start + last->nr_pages * page_size() == start)
		last->nr_pages++;
	else
		*vector_push(list) = (struct page_range){ .start = start, .nr_pages = 1, .flags = flags };
}

static int add_candidate(struct leaving *leaving, uint64_t start, uint64_t place, bool lazy)
{
	struct page_reader *reader = &leaving->candidates;
	struct stored_range *last = reader->n ? &reader->ranges[reader->n - 1] : NULL;
	const uint64_t offset = (place & ((1ull << PLACE_PAGE_BITS) - 1)) * page_size();
	const struct pages_file *file;

	TRY(find_file(leaving->once, (uint32_t)(place >> PLACE_PAGE_BITS), &file));
	if (last && last->file == file && last->lazy == lazy && last->start + last->size == start &&
	    last->offset + last->size == offset) {
		last->size += page_size();
		return 0;
	}
	if (reader->n == leaving->capacity) {
		leaving->capacity = leaving->capacity ? leaving->capacity * 2 : 64;
		reader->ranges = xrealloc(reader->ranges, leaving->capacity * sizeof(*reader->ranges));
	}
	reader->ranges[reader->n++] = (struct stored_range){
		.start = start, .size = page_size(), .offset = offset, .file = file, .lazy = lazy
	};
	return 0;
}

static int sort_out(struct leaving *leaving, const struct page_range *range)
{
	uint64_t words[WORDS], end = range->start + range->nr_pages * page_size(), at = range->start;

	while (at < end) {
		const size_t n = (end - at) / page_size() < WORDS ? (end - at) / page_size() : WORDS;

		TRY(pagemap_read_words(&leaving->tables, at, n, words));
		for (size_t i = 0; i < n; i++, at += page_size()) {
			const uint64_t place = find_place(leaving->once, words[i]);

			if (place)
				TRY(add_candidate(leaving, at, place, range->flags & PE_LAZY));
			add_page(place ? &leaving->maybe : &leaving->rest, at, range->flags);
		}
	}
	return 0;
}

/* --- which of them are --- */

/* [start, end), all of which is the same as the candidates. */
static void add_elsewhere(const struct page_reader *candidates, size_t *next, uint64_t start, uint64_t end,
			  page_range_list *to)
{
	for (; start < end; ++*next) {
		const struct stored_range *stored = &candidates->ranges[*next];
		const uint64_t stored_end = stored->start + stored->size, stop = stored_end < end ? stored_end : end;

		if (stored_end <= start)
			continue;
		*vector_push(to) = (struct page_range){
			.start = start,
			.nr_pages = (stop - start) / page_size(),
			.flags = PE_ELSEWHERE | (stored->lazy ? PE_LAZY : 0),
			.there_id = ((const struct once_file *)stored->file)->pages_id,
			.there = stored->offset + (start - stored->start),
		};
		start = stop;
		if (stored_end > end)
			break;
	}
}

static int compare_starts(const void *a, const void *b)
{
	const struct page_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* What is equal was called PE_PARENT. */
static void join_lists(struct leaving *leaving, page_range_list *to)
{
	size_t next = 0;

	to->n = 0;
	for (size_t i = 0; i < leaving->rest.n; i++)
		*vector_push(to) = leaving->rest.items[i];
	for (size_t i = 0; i < leaving->maybe.n; i++) {
		const struct page_range *range = &leaving->maybe.items[i];

		if (range->flags & PE_PARENT)
			add_elsewhere(&leaving->candidates, &next, range->start,
				      range->start + range->nr_pages * page_size(), to);
		else
			*vector_push(to) = *range;
	}
	qsort(to->items, to->n, sizeof(*to->items), compare_starts);
}

/* --- what others may have as well --- */

static int remember_range(struct leaving *leaving, const struct page_range *range, uint32_t pages_id)
{
	uint64_t words[WORDS], offset = range->offset, at = range->start;

	for (uint64_t left = range->nr_pages, n; left; left -= n) {
		n = left < WORDS ? left : WORDS;
		TRY(pagemap_read_words(&leaving->tables, at, n, words));
		for (size_t i = 0; i < n; i++, at += page_size(), offset += page_size())
			if (words[i] & PAGEMAP_PRESENT && !(words[i] & PAGEMAP_EXCLUSIVE) && words[i] & PAGEMAP_PFN)
				table_set(leaving->once->places, words[i] & PAGEMAP_PFN, make_place(pages_id, offset));
	}
	return 0;
}

static bool may_be_shared(const struct page_range *range)
{
	return range->flags & PE_PRESENT && range->flags & PAGE_SHARED;
}

static int leave_pages(struct leaving *leaving, const struct page_source *source, uint32_t pages_id,
		       page_range_list *ranges)
{
	for (size_t i = 0; i < ranges->n; i++)
		if (may_be_shared(&ranges->items[i]))
			TRY(sort_out(leaving, &ranges->items[i]));
		else
			*vector_push(&leaving->rest) = ranges->items[i];
	if (leaving->maybe.n) {
		TRY(pages_find_equal(leaving->once->mover, source, &leaving->candidates, &leaving->maybe));
		join_lists(leaving, ranges);
	}
	pages_place(ranges->items, ranges->n);
	for (size_t i = 0; i < ranges->n; i++)
		if (may_be_shared(&ranges->items[i]))
			TRY(remember_range(leaving, &ranges->items[i], pages_id));
	return 0;
}

int page_once_leave(struct page_once *once, int proc, const struct page_source *source, uint32_t pages_id,
		    page_range_list *ranges)
{
	struct leaving leaving = { .once = once };
	int result;

	TRY(pagemap_open(&leaving.tables, proc));
	result = leave_pages(&leaving, source, pages_id, ranges);
	pagemap_close(&leaving.tables);
	vector_done(&leaving.rest);
	vector_done(&leaving.maybe);
	free(leaving.candidates.ranges);
	return result;
}
