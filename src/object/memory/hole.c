/* SPDX-License-Identifier: GPL-2.0-only */
/* Address ranges that are free: in all tasks, for the arena while they are made; in one of them. */
#include "object/memory/hole.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "arch_regs.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/page.h"
#include "base/range.h"
#include "base/vector.h"
#include "kern/proc/proc.h"
#include "lib/compel/restorer.h"
#include "object/memory/memory.h"

#define LOWEST (1ull << 24)
#define MARGIN (1ull << 21) /* stacks grow down towards us */

typedef VECTOR(struct address_range) ranges_t;

static int compare_ranges(const void *a, const void *b)
{
	const struct address_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static int add_own(ranges_t *ranges)
{
	struct mappings own = { 0 };
	AUTO_CLOSE int proc = proc_open(getpid());

	TRY(proc);
	TRY(mappings_read(proc, MAPPINGS_PLAIN, &own));
	for (size_t i = 0; i < own.n; i++)
		*vector_push(ranges) = (struct address_range){ own.items[i].start, own.items[i].end };
	mappings_done(&own);
	return 0;
}

static void add_tasks(struct restore *r, ranges_t *ranges)
{
	struct task *task;

	for_each_task(task, r->tree) {
		if (!task->mm || task->restore->memory_from)
			continue;
		for (size_t i = 0; i < task->mm->n_vmas; i++) {
			uint64_t start = task->mm->vmas[i]->start;

			*vector_push(ranges) =
				(struct address_range){ start > MARGIN ? start - MARGIN : 0, task->mm->vmas[i]->end };
		}
	}
}

static bool has_compat(const struct restore *r)
{
	struct task *task;

	for_each_task(task, r->tree)
		if (task_is_live(task) && arch_core_is_compat(task->leader->core))
			return true;
	return false;
}

/* 0: there is none. */
static uint64_t find_hole(const ranges_t *ranges, uint64_t size)
{
	uint64_t at = LOWEST;

	for (size_t i = 0; i < ranges->n; i++) {
		if (ranges->items[i].start > at && ranges->items[i].start - at >= size + MARGIN)
			return at;
		/* A little room behind, so that nothing merges with what is there. */
		if (ranges->items[i].end + 65536 > at)
			at = page_align(ranges->items[i].end + 65536);
	}
	return 0;
}

int memory_find_hole(struct restore *r, uint64_t largest, uint64_t smallest, uint64_t more, uint64_t *ret,
		     uint64_t *ret_size)
{
	uint64_t limit = arch_address_limit(has_compat(r));
	ranges_t ranges = { 0 };
	int error = add_own(&ranges);

	if (error < 0) {
		vector_done(&ranges);
		return error;
	}
	add_tasks(r, &ranges);
	*vector_push(&ranges) = (struct address_range){ limit, UINT64_MAX / 2 };
	qsort(ranges.items, ranges.n, sizeof(*ranges.items), compare_ranges);
	*ret = 0;
	for (uint64_t size = largest; size >= smallest && !*ret; size /= 2) {
		*ret_size = size;
		*ret = find_hole(&ranges, size + more);
	}
	vector_done(&ranges);
	if (!*ret)
		return refuse(ENOMEM, "the tasks leave no %llu MiB of address space free that all have in common",
			      (unsigned long long)((smallest + more) >> 20));
	return 0;
}

int memory_find_place(const struct restore *r, const struct memory_restore *memory, uint64_t size, bool compat,
		      uint64_t *ret)
{
	uint64_t at = compat ? LOWEST : 1ull << 32, end = restorer_arena_start(r->arena);

	for (size_t i = 0; i <= memory->n; i++) {
		uint64_t start = i < memory->n ? memory->mappings[i].vma->start : arch_address_limit(compat);

		/* The arena is still in the way. */
		if (start > at + size && (at + size < end || at > r->parking_end)) {
			*ret = at;
			return 0;
		}
		if (i < memory->n && memory->mappings[i].vma->end > at)
			at = memory->mappings[i].vma->end;
		if (at < r->parking_end && at + size >= end)
			at = r->parking_end;
	}
	return refuse(ENOMEM, "it leaves no %" PRIu64 " bytes of address space free", size);
}
