/* SPDX-License-Identifier: GPL-2.0-only */
/* How much private memory there may be to be saved, and what became of it. */
#include "object/memory/content/count.h"

#include "base/meter.h"
#include "base/page.h"
#include "kern/proc/maps.h"
#include "object/memory/content.h"
#include "object/memory/memory-state.h"
#include "session/session.h"
#include "session/stats.h"

/* What the private mappings of a task have, as the kernel has counted it: one by one, or all of them. */
int64_t memory_guess_size(const struct task *task)
{
	const uint64_t all_kb = task->dump->mappings.private_kb;
	uint64_t kb = 0;

	for (size_t i = 0; i < task->dump->mappings.n; i++)
		if (!task->dump->mappings.items[i].shared)
			kb += task->dump->mappings.items[i].anonymous_kb + task->dump->mappings.items[i].swap_kb;
	return (int64_t)(kb > all_kb ? kb : all_kb) << 10;
}

/* The sum of all guesses, of which each becomes a fact when the pages of its task are known. */
void memory_expect_pages(struct dump *d, const struct task *task, const page_range_list *ranges)
{
	struct memory_dump *memory = memory_dump_state(d);
	const struct task *other;
	int64_t size = 0;

	if (!memory->is_expected)
		for_each_task(other, d->tree)
			if (other->dump && other->mm)
				meter_expect(d->meter, memory_guess_size(other));
	memory->is_expected = true;
	for (size_t i = 0; i < ranges->n; i++)
		if (ranges->items[i].flags & PE_PRESENT)
			size += (int64_t)(ranges->items[i].nr_pages * page_size());
	meter_expect(d->meter, size - memory_guess_size(task));
}

void memory_count_pages(struct dump *d, const page_range_list *ranges)
{
	for (size_t i = 0; i < ranges->n; i++)
		if (ranges->items[i].flags & PE_PARENT)
			d->stats->pages_skipped_parent += ranges->items[i].nr_pages;
		else if (ranges->items[i].flags & PE_ELSEWHERE)
			d->stats->pages_elsewhere += ranges->items[i].nr_pages;
		else if (ranges->items[i].flags & PE_PRESENT)
			d->stats->pages_written += ranges->items[i].nr_pages;
}
