/* SPDX-License-Identifier: GPL-2.0-only */
/* Which private pages of a task are saved, and where each of them goes back. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "kern/proc/pagemap.h"
#include "object/memory/core.h"

#define REGIONS 512 /* from the kernel at once */

typedef VECTOR(struct page_range) range_list;

struct memory_dump *memory_dump_state(struct dump *d)
{
	if (!d->memory) {
		d->memory = xzalloc(sizeof(*d->memory));
		d->memory->mover = page_mover_create(d->workers);
		d->memory->sink = d->page_server ? TAKE_PTR(d->page_server) : page_sink_to_store(d->store, 1);
		d->memory->by_inode = table_create();
	}
	return d->memory;
}

/* Has the mapping pages that belong to the task alone, and are they ours to save? */
static bool has_content(const VmaEntry *vma, const struct mapping *mapping)
{
	if (!(vma->status & (VMA_ANON_PRIVATE | VMA_FILE_PRIVATE)) ||
	    vma->status & (VMA_VSYSCALL | VMA_VVAR | VMA_AIORING | VMA_GUARD | VMA_EXT_PLUGIN) || !(vma->flags & MAP_PRIVATE))
		return false;
	/* The kernel's vdso is not counted as anonymous, nor are huge pages of hugetlbfs. */
	return vma->status & VMA_VDSO || mapping->vm_flags & VMF(HT) || mapping->anonymous_kb || mapping->swap_kb;
}

/* Pages that somebody else maps as well: bit 56 of the word is clear. */
static int split_shared(const struct page_tables *tables, struct page_range range, range_list *ranges)
{
	uint64_t words[512], end = range.start + range.nr_pages * page_size();
	uint32_t flags = range.flags;
	size_t n;

	range.nr_pages = 0;
	for (uint64_t at = range.start; at < end; at += n * page_size()) {
		n = (end - at) / page_size() < 512 ? (end - at) / page_size() : 512;
		TRY(pagemap_read_words(tables, at, n, words));
		for (size_t i = 0; i < n; i++) {
			bool shared = words[i] & PAGEMAP_PRESENT && !(words[i] & PAGEMAP_EXCLUSIVE);
			uint32_t page_flags = flags | (shared ? PAGE_SHARED : 0);

			if (range.nr_pages && page_flags != range.flags) {
				*vector_push(ranges) = range;
				range.start += range.nr_pages * page_size();
				range.nr_pages = 0;
			}
			range.flags = page_flags;
			range.nr_pages++;
		}
	}
	*vector_push(ranges) = range;
	return 0;
}

/* --- walking the mappings while the regions of one scan come in --- */

struct walk {
	struct dump *d;
	struct task *task;
	const struct page_tables *tables;
	size_t next; /* in mm->vmas: what is below is done */
	range_list *ranges;
};

static const struct mapping *mapping_of(const struct walk *walk, const VmaEntry *vma)
{
	const struct mapping *mapping = mappings_find(&walk->task->dump->mappings, vma->start);

	return mapping && has_content(vma, mapping) ? mapping : NULL;
}

/* The kernel maps the vdso page by page as it is used; the image has all of it. */
static void add_vdso(struct walk *walk, const VmaEntry *vma)
{
	*vector_push(walk->ranges) = (struct page_range){
		.start = vma->start,
		.nr_pages = (vma->end - vma->start) / page_size(),
		.flags = PE_PRESENT,
	};
}

/* Moves on to the first area that ends above the address; NULL if there is none. */
static const VmaEntry *find_vma(struct walk *walk, uint64_t address)
{
	const MmEntry *mm = walk->task->mm;

	for (; walk->next < mm->n_vmas && !(mm->vmas[walk->next]->status & VMA_GUARD); walk->next++) {
		const VmaEntry *vma = mm->vmas[walk->next];

		if (vma->end > address)
			return vma;
		if (vma->status & VMA_VDSO)
			add_vdso(walk, vma);
	}
	return NULL;
}

static int add_pages(struct walk *walk, const VmaEntry *vma, uint64_t start, uint64_t end)
{
	const struct mapping *mapping = mapping_of(walk, vma);
	bool huge, may_be_lazy;
	struct page_range range = { .start = start, .nr_pages = (end - start) / page_size() };

	if (!mapping || vma->status & VMA_VDSO)
		return 0;
	huge = mapping->vm_flags & VMF(HT);
	may_be_lazy = vma->status & VMA_ANON_PRIVATE && !huge;
	range.flags = may_be_lazy ? PE_PRESENT | PE_LAZY : PE_PRESENT;
	if (mapping->shared_kb || huge)
		return split_shared(walk->tables, range, walk->ranges);
	*vector_push(walk->ranges) = range;
	return 0;
}

static int add_region(struct walk *walk, const struct page_region *region)
{
	for (uint64_t at = region->start; at < region->end;) {
		const VmaEntry *vma = find_vma(walk, at);
		uint64_t end;

		if (!vma || vma->start >= region->end)
			break;
		if (at < vma->start)
			at = vma->start;
		end = region->end < vma->end ? region->end : vma->end;
		TRY(add_pages(walk, vma, at, end));
		at = end;
	}
	return 0;
}

/* From the first to the last area with content; only those with guard pages need the newest kernels. */
static void find_span(const struct walk *walk, uint64_t *start, uint64_t *end, bool *has_guards)
{
	const MmEntry *mm = walk->task->mm;

	*start = *end = 0;
	*has_guards = false;
	for (size_t i = 0; i < mm->n_vmas && !(mm->vmas[i]->status & VMA_GUARD); i++) {
		const struct mapping *mapping = mapping_of(walk, mm->vmas[i]);

		if (!mapping)
			continue;
		if (!*end)
			*start = mm->vmas[i]->start;
		*end = mm->vmas[i]->end;
		*has_guards |= !!(mapping->vm_flags & VMF(GU));
		walk->d->stats->pages_scanned += (mm->vmas[i]->end - mm->vmas[i]->start) / page_size();
	}
}

/* Copies of pages that the task has: not of the file, not the zero page, no guards. One scan for all areas. */
static int find_all_pages(struct walk *walk)
{
	const uint64_t never = PAGE_IS_FILE | PAGE_IS_PFNZERO;
	struct pagemap_filter filter = { .inverted = never, .all = never, .any = PAGE_IS_PRESENT | PAGE_IS_SWAPPED };
	struct page_region regions[REGIONS];
	uint64_t at, end;
	bool has_guards;

	find_span(walk, &at, &end, &has_guards);
	if (has_guards) {
		filter.inverted |= PAGE_IS_GUARD;
		filter.all |= PAGE_IS_GUARD;
	}
	while (at < end) {
		ssize_t n = pagemap_scan(walk->tables, &at, end, &filter, regions, REGIONS);

		TRY(n);
		for (ssize_t i = 0; i < n; i++)
			TRY(add_region(walk, &regions[i]));
	}
	find_vma(walk, UINT64_MAX);
	return 0;
}

int memory_dump_content(struct dump *d, struct task *task)
{
	struct memory_dump *memory = memory_dump_state(d);
	AUTO_CLOSE int mem = openat(task->dump->proc, "mem", O_RDONLY | O_CLOEXEC);
	const struct page_source source = { task->pid, mem };
	struct page_tables tables;
	range_list ranges = { 0 };
	struct walk walk = { d, task, &tables, 0, &ranges };
	int result;

	if (mem < 0)
		return fail_errno("cannot open its memory");
	TRY(pagemap_open(&tables, task->dump->proc));
	stats_start(d->stats, STATS_MEMDUMP);
	result = find_all_pages(&walk);
	stats_stop(d->stats, STATS_MEMDUMP);
	pagemap_close(&tables);
	if (result == 0) {
		stats_start(d->stats, STATS_MEMWRITE);
		result = pages_save(memory->mover, &source, memory->sink, IMAGE_PAGEMAP, (uint64_t)task->vpid, ranges.items,
				    ranges.n);
		stats_stop(d->stats, STATS_MEMWRITE);
		d->stats->pages_written += pages_place(ranges.items, ranges.n) / page_size();
	}
	vector_done(&ranges);
	return result;
}
