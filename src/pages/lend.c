/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages that children of a process share with each other, but no longer with it. */
#include "pages/lend.h"

/* Where the pages from an address on are; file is NULL if there are none. */
struct page_place {
	const struct pages_file *file;
	uint64_t offset;
	bool lazy;
};

struct cursor {
	const struct page_list *list;
	size_t next;
	struct page_place place; /* at the address that is looked at */
};

bool pages_same_place(const struct pages_file *a, uint64_t offset_a, const struct pages_file *b, uint64_t offset_b)
{
	return a && b && a->store == b->store && a->pages_id == b->pages_id && offset_a == offset_b;
}

static bool is_same(const struct page_place *a, const struct page_place *b)
{
	return (!a->file && !b->file) || pages_same_place(a->file, a->offset, b->file, b->offset);
}

/* The first range that ends above the address. */
static size_t find_first(const struct page_list *list, uint64_t address)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (list->ranges[middle].start + list->ranges[middle].size <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Finds the place at the address, and lowers *stop to where something else begins. */
static void look_at(struct cursor *cursor, uint64_t at, uint64_t *stop)
{
	const struct page_list *list = cursor->list;
	const struct stored_range *range;
	uint64_t border;

	while (cursor->next < list->n && list->ranges[cursor->next].start + list->ranges[cursor->next].size <= at)
		cursor->next++;
	cursor->place = (struct page_place){ 0 };
	if (cursor->next == list->n)
		return;
	range = &list->ranges[cursor->next];
	border = range->start;
	if (range->start <= at) {
		cursor->place = (struct page_place){ range->file, range->offset + (at - range->start), range->lazy };
		border = range->start + range->size;
	}
	if (border < *stop)
		*stop = border;
}

static size_t count_same(const struct cursor *children, size_t n, const struct page_place *place)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += is_same(&children[i].place, place);
	return count;
}

/* What saves most copies. If the process gets other pages for a while, it needs a copy of its own, too. */
static struct page_place choose_place(const struct page_place *own, const struct cursor *children, size_t n)
{
	size_t most = own->file ? count_same(children, n, own) + 1 : 1;
	struct page_place best = *own;

	for (size_t i = 0; i + most < n; i++) {
		size_t count;

		if (!children[i].place.file || children[i].place.lazy || is_same(&children[i].place, &best))
			continue;
		count = count_same(children + i, n - i, &children[i].place);
		if (count > most) {
			most = count;
			best = children[i].place;
		}
	}
	return best;
}

/* May continue the last range, but none of the first `others` ones, which are of other mappings. */
static void add_range(stored_range_list *list, size_t others, uint64_t start, uint64_t end,
		      const struct page_place *place)
{
	struct stored_range *last = list->n > others ? &list->items[list->n - 1] : NULL;

	if (last && last->file == place->file && last->start + last->size == start &&
	    last->offset + last->size == place->offset && last->lazy == place->lazy) {
		last->size += end - start;
		return;
	}
	*vector_push(list) = (struct stored_range){
		.start = start, .size = end - start, .offset = place->offset, .file = place->file, .lazy = place->lazy
	};
}

void pages_lend(const struct page_list *own, const struct page_list *children, size_t n, uint64_t start, uint64_t end,
		struct page_lending *ret)
{
	struct cursor mine = { .list = own, .next = find_first(own, start) }, theirs[LEND_CHILDREN_MAX];
	const size_t before_first = ret->first.n, before_later = ret->later.n;

	if (n > LEND_CHILDREN_MAX)
		n = LEND_CHILDREN_MAX;
	for (size_t i = 0; i < n; i++)
		theirs[i] = (struct cursor){ .list = &children[i], .next = find_first(&children[i], start) };
	for (uint64_t at = start, stop; at < end; at = stop) {
		struct page_place best;

		stop = end;
		look_at(&mine, at, &stop);
		for (size_t i = 0; i < n; i++)
			look_at(&theirs[i], at, &stop);
		best = choose_place(&mine.place, theirs, n);
		if (best.file)
			add_range(&ret->first, before_first, at, stop, &best);
		if (is_same(&mine.place, &best))
			continue;
		if (mine.place.file)
			add_range(&ret->later, before_later, at, stop, &mine.place);
		else
			*vector_push(&ret->gone) = (struct address_range){ at, stop };
	}
}

void pages_lend_done(struct page_lending *lending)
{
	vector_done(&lending->first);
	vector_done(&lending->later);
	vector_done(&lending->gone);
}
