/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Small mappings are not watched by write protection: mappings that are mapped beside a watched one do not merge with
 * it, and mremap(2) over the border fails, which programs would notice. Their pages are compared with those of the
 * parent images instead. Programs with very many of them have no use for that: then they are watched too.
 */
#include "object/memory/compare.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "kern/proc/maps.h"
#include "object/memory/content.h"
#include "object/memory/memory-state.h"
#include "object/memory/track.h"
#include "pages/equal.h"
#include "session/session.h"

#define SMALL	  (1u << 20)
#define SMALL_SUM (16u << 20) /* takes some milliseconds to compare */

static bool is_small(const struct mapping *m)
{
	return memory_is_trackable(m) && m->end - m->start < SMALL;
}

bool memory_compares_small(const struct task *task)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < task->dump->mappings.n; i++)
		if (is_small(&task->dump->mappings.items[i]))
			sum += task->dump->mappings.items[i].end - task->dump->mappings.items[i].start;
	return sum <= SMALL_SUM;
}

bool memory_is_watchable(const struct mapping *m, bool compares_small)
{
	return memory_is_trackable(m) && !(compares_small && is_small(m));
}

/* Both are sorted. */
static void merge_ranges(const page_range_list *a, const page_range_list *b, page_range_list *ret)
{
	size_t i = 0, k = 0;

	ret->n = 0;
	while (i < a->n || k < b->n) {
		bool first = k == b->n || (i < a->n && a->items[i].start < b->items[k].start);

		*vector_push(ret) = first ? a->items[i++] : b->items[k++];
	}
}

int memory_leave_equal(struct dump *d, struct task *task, page_range_list *ranges)
{
	struct memory_dump *memory = memory_dump_of(d);
	AUTO(page_reader_close) struct page_reader *parent = NULL;
	AUTO_CLOSE int mem = -1;
	page_range_list small = { 0 }, others = { 0 };
	struct page_source source = { .pid = task->pid };
	int result;

	if (!memory->parent || memory->parent_elsewhere || d->options->use_page_server ||
	    task_tracking_of(task)->soft_dirty || !memory_compares_small(task))
		return 0;
	result = page_reader_open(memory->parent, IMAGE_PAGEMAP, (uint64_t)task->vpid, &parent);
	if (result == -ENOENT)
		return 0;
	TRY(result);
	mem = openat(task->dump->proc, "mem", O_RDONLY | O_CLOEXEC);
	if (mem < 0)
		return fail_errno("cannot open its memory");
	source.mem = mem;
	for (size_t i = 0; i < ranges->n; i++) {
		const struct page_range *range = &ranges->items[i];
		const struct mapping *m = mappings_find(&task->dump->mappings, range->start);
		bool compared = range->flags & PE_PRESENT && m && is_small(m);

		*vector_push(compared ? &small : &others) = *range;
	}
	result = pages_find_equal(memory->mover, &source, parent, &small);
	if (result == 0)
		merge_ranges(&small, &others, ranges);
	vector_done(&small);
	vector_done(&others);
	return result;
}
