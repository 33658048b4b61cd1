/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages that children of a task shared with each other only are lent to the task while it makes them. */
#include "object/memory/lent/lent.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/meter.h"
#include "base/pool.h"
#include "lib/compel/remote.h"
#include "object/memory/content-restore.h"
#include "object/memory/shared.h"
#include "object/memory/lazy-restore.h"
#include "object/memory/lent/mappings-inherit.h"
#include "object/memory/mappings-restore.h"
#include "object/memory/memory-state.h"
#include "object/memory/memory.h"
#include "pages/fill.h"
#include "pages/inherit.h"
#include "plan/plan.h"
#include "session/session.h"

/* Pages that the task has: where they came from. */
struct given_range {
	uint64_t start, size;
	struct pages_file place; /* store and pages_id alone */
	uint64_t offset;
};

struct lent_pages {
	const struct memory_restore *children[LEND_CHILDREN_MAX];
	size_t n;
	struct page_lending lending;
	VECTOR(struct given_range) given;
	struct page_reader *reader; /* of its own pages, until they are there */
};

static const struct page_reader *reader_of(const struct memory_restore *memory)
{
	return memory ? memory->content : NULL;
}

static bool has_own_memory(const struct task *task)
{
	return task_is_live(task) && !task->restore->memory_from;
}

void memory_lent_destroy(struct lent_pages **ref)
{
	struct lent_pages *lent = *ref;

	if (!lent)
		return;
	pages_lend_done(&lent->lending);
	vector_done(&lent->given);
	page_reader_close(&lent->reader);
	free(lent);
	*ref = NULL;
}

struct lent_pages *memory_lent_begin(const struct restore *r, const struct task *task)
{
	const struct memory_restore *own = memory_restore_of(task);
	struct lent_pages *lent;
	struct task *other;

	if (!memory_shared_set(r)->names_others || memory_is_lazy(r) || r->copy)
		return NULL;
	lent = xzalloc(sizeof(*lent));
	for_each_task(other, r->tree) {
		const struct task *creator = other->restore->creator;

		/* A helper has the memory of its creator. */
		if (!creator || (creator != task && task_is_live(creator)) || !has_own_memory(other) ||
		    !reader_of(memory_restore_of(other)) || memory_of_creator(other) != own)
			continue;
		lent->children[lent->n++] = memory_restore_of(other);
		if (lent->n == LEND_CHILDREN_MAX)
			break;
	}
	if (!lent->n)
		memory_lent_destroy(&lent);
	return lent;
}

static bool has_mapping(const struct memory_restore *child, const struct memory_mapping *mapping)
{
	size_t low = 0, high = child->n;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (child->mappings[middle].vma->start < mapping->vma->start)
			low = middle + 1;
		else
			high = middle;
	}
	return low < child->n && memory_mappings_same(&child->mappings[low], mapping);
}

size_t memory_lent_choose(struct lent_pages *lent, const struct memory_mapping *mapping, const struct page_list *own,
			  const stored_range_list **ret)
{
	const VmaEntry *vma = mapping->vma;
	struct page_list children[LEND_CHILDREN_MAX];
	size_t n = 0, first = lent->lending.first.n;

	for (size_t i = 0; i < lent->n; i++) {
		const struct page_reader *reader = reader_of(lent->children[i]);

		if (has_mapping(lent->children[i], mapping))
			children[n++] = (struct page_list){ reader->ranges, reader->n };
	}
	/* Where a userfaultfd watches, no page may come or go. */
	pages_lend(own, children, vma->flags & MAP_HUGETLB || vma->watched ? 0 : n, vma->start, vma->end,
		   &lent->lending);
	for (size_t i = first; i < lent->lending.first.n; i++) {
		const struct stored_range *range = &lent->lending.first.items[i];

		if (!range->file)
			continue;
		*vector_push(&lent->given) = (struct given_range){
			.start = range->start,
			.size = range->size,
			.place = { .store = range->file->store, .pages_id = range->file->pages_id },
			.offset = range->offset,
		};
	}
	*ret = &lent->lending.first;
	return first;
}

/* The first one that ends above the address. */
static size_t find_given(const struct lent_pages *lent, uint64_t address)
{
	size_t low = 0, high = lent->given.n;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (lent->given.items[middle].start + lent->given.items[middle].size <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* How much of [start, end), beginning there, is surely the same (*ret_same), or not. */
static uint64_t measure_same(const struct lent_pages *lent, size_t *next, const struct stored_range *range,
			     uint64_t start, bool *ret_same)
{
	const uint64_t end = range->start + range->size;
	const struct given_range *given;

	while (*next < lent->given.n && lent->given.items[*next].start + lent->given.items[*next].size <= start)
		++*next;
	*ret_same = false;
	if (*next == lent->given.n)
		return end - start;
	given = &lent->given.items[*next];
	if (given->start > start)
		return (given->start < end ? given->start : end) - start;
	*ret_same = pages_same_place(&given->place, given->offset + (start - given->start), range->file,
				     range->offset + (start - range->start));
	return (given->start + given->size < end ? given->start + given->size : end) - start;
}

size_t memory_lent_skip(const struct memory_restore *creator, struct page_inheritance *what, size_t first)
{
	const struct lent_pages *lent = creator ? creator->lent : NULL;
	struct page_inheritance kept = { 0 };
	size_t next = 0, skipped = 0;

	if (!lent || first == what->ranges.n)
		return 0;
	next = find_given(lent, what->ranges.items[first].start);
	for (size_t i = first; i < what->ranges.n; i++) {
		const struct stored_range *range = &what->ranges.items[i];
		bool same;

		if (!(range->how & PAGE_COMPARE)) {
			*vector_push(&kept.ranges) = *range;
			continue;
		}
		for (uint64_t at = 0, size; at < range->size; at += size) {
			struct stored_range part = *range;

			size = measure_same(lent, &next, range, range->start + at, &same);
			part.start += at;
			part.offset += at;
			part.size = size;
			if (same)
				skipped += size / page_size();
			else
				*vector_push(&kept.ranges) = part;
		}
	}
	what->ranges.n = first;
	for (size_t i = 0; i < kept.ranges.n; i++)
		*vector_push(&what->ranges) = kept.ranges.items[i];
	pages_inherit_done(&kept);
	return skipped;
}

void memory_lent_keep(struct lent_pages *lent, struct page_reader **reader)
{
	if (!lent || !(lent->lending.later.n || lent->lending.gone.n))
		return;
	lent->reader = *reader;
	*reader = NULL;
}

/* They are written through /proc/PID/mem where the mapping cannot be written to. */
static int write_own(struct restore *r, struct task *task, struct lent_pages *lent)
{
	const struct memory_restore *memory = memory_restore_of(task);
	AUTO_CLOSE int mem = openat(task->restore->proc, "mem", O_RDWR | O_CLOEXEC);
	const struct page_target target = { task->pid, mem, -1 };
	stored_range_list *later = &lent->lending.later;
	size_t k = 0;

	if (mem < 0)
		return fail_errno("cannot open its memory");
	for (size_t i = 0; i < later->n; i++) {
		while (memory->mappings[k].vma->end <= later->items[i].start)
			k++;
		meter_expect(r->meter, (int64_t)later->items[i].size);
		later->items[i].how = memory->mappings[k].vma->prot & PROT_WRITE ? 0 : PAGE_READ_ONLY;
	}
	return pages_fill(memory_mover(r), &target, later->items, later->n, NULL);
}

int memory_lent_end(struct restore *r, struct task *task)
{
	struct memory_restore *memory = memory_restore_of(task);
	struct lent_pages *lent = memory ? memory->lent : NULL;

	if (!lent)
		return 0;
	LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
	TRY(write_own(r, task, lent));
	TRY(memory_drop_pages(r, task, lent->lending.gone.items, lent->lending.gone.n));
	memory_lent_destroy(&lent);
	memory->lent = NULL;
	return 0;
}
