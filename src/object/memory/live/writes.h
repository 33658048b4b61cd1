/* SPDX-License-Identifier: GPL-2.0-only */
/* dump --live: which private pages a task, which runs, writes to, from some moment on until it stands still. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/vector.h"
#include "kern/proc/pagemap.h"
#include "pages/save.h"

struct dump;
struct mapping;
struct mappings;
struct task;

/* Memory that is watched; what lies side by side is one. */
struct written_area {
	uint64_t start, end;
	uint64_t slot;	 /* where it begins in the copy: all areas, one behind the other */
	uint64_t *pages; /* one bit for each: it was there when it was last looked at */
	bool shared;	 /* some of its pages are also another process's: PAGE_SHARED */
};

struct memory_writes {
	int uffd; /* ours alone: when we end, however that comes, nothing is watched any more */
	struct page_tables tables;
	VECTOR(struct written_area) areas;
	uint64_t size; /* of all */
};

/* Whether others than its own page tables may lead to memory of a process: devices that read into it. */
bool memory_writes_are_hidden(int proc, const struct mappings *mappings);
/*
 * A userfaultfd of a task, whose first thread stands still meanwhile, for a fraction of a millisecond. -ETIMEDOUT,
 * reported: it does not stop. Else -errno, not logged.
 */
int memory_writes_userfaultfd(struct dump *d, pid_t pid, int proc, const struct mappings *mappings);
/* Nothing of this range is watched by it any more. The task runs. */
void memory_writes_leave(int uffd, uint64_t start, uint64_t end);
/*
 * Watches the mappings of at least a MiB of a task, which is stopped for a moment for it. 1; 0, nothing to be ended:
 * that cannot be done. Fails if the task cannot be let go again.
 */
int memory_writes_begin(struct dump *d, pid_t pid, int proc, const struct mappings *mappings,
			struct memory_writes *ret);
/* Adds the pages that were written to since this was last called, at first all, placed and with PE_PRESENT. */
int memory_writes_take(struct memory_writes *writes, page_range_list *ranges);
/* The task stands still. Whether the mapping is watched by us. */
bool memory_writes_own(const struct memory_writes *writes, const struct mapping *m);
/* The area that has all of such a mapping: it has been watched since memory_writes_begin(). NULL: it has grown. */
const struct written_area *memory_writes_area(const struct memory_writes *writes, const struct mapping *m);
/* Adds what has to be copied of such a mapping; what is not there any more is forgotten. By several workers. */
int memory_writes_take_last(struct dump *d, struct memory_writes *writes, const struct mapping *m,
			    page_range_list *ranges);
static inline bool written_area_has(const struct written_area *area, uint64_t page)
{
	return area->pages[page / 64] >> page % 64 & 1;
}

/* The task runs: nothing is watched any more. It need not be there. May be called twice. */
void memory_writes_end(struct memory_writes *writes);
void memory_writes_done(struct memory_writes *writes);
