/* SPDX-License-Identifier: GPL-2.0-only */
/* Which private pages of a task are saved, and where each of them goes back. */
#include "object/memory/content.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/table.h"
#include "image/blocks/store-blocks.h"
#include "image/pipe/store-pipe.h"
#include "image/store.h"
#include "kern/proc/maps.h"
#include "kern/proc/pagemap.h"
#include "kern/proc/proc.h"
#include "kern/track.h"
#include "mm.pb-c.h"
#include "object/memory/compare.h"
#include "object/memory/content/count.h"
#include "object/memory/content/small-tasks.h"
#include "object/memory/memory-state.h"
#include "object/memory/lazy-dump.h"
#include "object/memory/live/live.h"
#include "object/memory/memory.h"
#include "object/memory/shared.h"
#include "object/memory/track.h"
#include "pages/once.h"
#include "pages/sink-pipe.h"
#include "pages/sink-store.h"
#include "session/session.h"
#include "session/state.h"
#include "session/stats.h"
#include "vma.pb-c.h"

#define REGIONS 512 /* from the kernel at once */
#define WORDS	512

typedef page_range_list range_list;

static void destroy_dump(void *state)
{
	struct memory_dump *memory = state;

	for (size_t i = 0; i < memory->objects.n; i++) {
		close(memory->objects.items[i]->fd);
		vector_done(&memory->objects.items[i]->segments);
	}
	vector_done(&memory->objects);
	table_destroy(&memory->by_inode);
	table_destroy(&memory->shared_by);
	small_tasks_destroy(&memory->small);
	page_sink_destroy(&memory->sink);
	page_once_destroy(&memory->once);
	store_close(&memory->written);
	page_mover_destroy(&memory->mover);
}

static const struct state_type memory_dump_state_type = { sizeof(struct memory_dump), destroy_dump };

struct memory_dump *memory_dump_of(const struct dump *d)
{
	return state_find(d->states, &memory_dump_state_type);
}

struct memory_dump *memory_dump_state(const struct dump *d)
{
	struct memory_dump *memory = memory_dump_of(d);

	if (!memory) {
		memory = state_make(d->states, &memory_dump_state_type);
		memory->mover = page_mover_create(d->workers, d->meter);
		memory->by_inode = table_create();
	}
	return memory;
}

struct page_sink *memory_sink(struct dump *d)
{
	struct memory_dump *memory = memory_dump_state(d);

	if (!memory->sink)
		memory->sink = store_is_pipe(dump_store(d)) ? page_sink_to_pipe(dump_store(d), 1)
							    : page_sink_to_store(dump_store(d), 1);
	return memory->sink;
}

void memory_dump_to_server(struct dump *d, struct page_sink *server)
{
	memory_dump_state(d)->sink = server;
}

/* Has the mapping pages that belong to the task alone, and are they ours to save? */
static bool has_content(const VmaEntry *vma, const struct mapping *mapping)
{
	if (!(vma->status & (VMA_ANON_PRIVATE | VMA_FILE_PRIVATE)) ||
	    vma->status & (VMA_VSYSCALL | VMA_VVAR | VMA_AIORING | VMA_GUARD | VMA_EXT_PLUGIN) ||
	    !(vma->flags & MAP_PRIVATE))
		return false;
	/* The kernel's vdso is not counted as anonymous, nor are huge pages of hugetlbfs. */
	return vma->status & VMA_VDSO || mapping->vm_flags & VMF(HT) || mapping->anonymous_kb || mapping->swap_kb;
}

/* --- walking the mappings while the regions of one scan come in --- */

struct page_walk {
	struct dump *d;
	struct task *task;
	const struct page_tables *tables;
	size_t next; /* in mm->vmas: what is below is done */
	range_list *ranges;
	const struct page_reader
		*parent; /* what may be left to the parent images; NULL: nothing, or all that was not written to */
	size_t stored;	 /* of the parent: those before it are below */
	bool has_parent;
	uint64_t scanned;		 /* pages */
	const struct mapping *last;	 /* that was looked for */
	uint64_t words[WORDS], words_at; /* of /proc/PID/pagemap; address of the first, 0: none were read */
};

/* Records are looked at in their order: mostly it is the one that was found before, or the next one. */
static const struct mapping *find_mapping(struct page_walk *walk, const VmaEntry *vma)
{
	const struct mappings *all = &walk->task->dump->mappings;
	const struct mapping *m = walk->last, *end = all->items + all->n;

	for (unsigned i = 0; m && m < end && i < 2; i++, m++)
		if (m->start <= vma->start && vma->start < m->end)
			return walk->last = m;
	return walk->last = mappings_find(all, vma->start);
}

static const struct mapping *mapping_of(struct page_walk *walk, const VmaEntry *vma)
{
	const struct mapping *mapping = find_mapping(walk, vma);

	return mapping && !mapping->ahead && has_content(vma, mapping) ? mapping : NULL;
}

/* The kernel maps the vdso page by page as it is used; the image has all of it. */
static void add_vdso(struct page_walk *walk, const VmaEntry *vma)
{
	*vector_push(walk->ranges) = (struct page_range){
		.start = vma->start,
		.nr_pages = (vma->end - vma->start) / page_size(),
		.flags = PE_PRESENT | PAGE_EARLY,
	};
}

/* Moves on to the first mapping that ends above the address; NULL if there is none. */
static const VmaEntry *find_vma(struct page_walk *walk, uint64_t address)
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

static void add_range(struct page_walk *walk, uint64_t start, uint64_t end, uint32_t flags)
{
	*vector_push(walk->ranges) =
		(struct page_range){ .start = start, .nr_pages = (end - start) / page_size(), .flags = flags };
}

/* Pages that were not written to since the parent was made. They should be there; those that are not are saved. */
static void add_unwritten(struct page_walk *walk, uint64_t start, uint64_t end, uint32_t flags)
{
	const struct page_reader *parent = walk->parent;

	if (!parent) {
		add_range(walk, start, end, PE_PARENT);
		return;
	}
	while (start < end) {
		const struct stored_range *stored = NULL;
		uint64_t stop = end;

		while (walk->stored < parent->n &&
		       parent->ranges[walk->stored].start + parent->ranges[walk->stored].size <= start)
			walk->stored++;
		if (walk->stored < parent->n)
			stored = &parent->ranges[walk->stored];
		if (stored && stored->start <= start) {
			if (stored->start + stored->size < stop)
				stop = stored->start + stored->size;
			add_range(walk, start, stop, PE_PARENT);
		} else {
			if (stored && stored->start < stop)
				stop = stored->start;
			add_range(walk, start, stop, flags);
		}
		start = stop;
	}
}

static bool is_unwritten(const struct page_walk *walk, const struct mapping *mapping, uint64_t categories)
{
	if (task_tracking_of(walk->task)->soft_dirty)
		return memory_is_trackable(mapping) && soft_dirty_says_unwritten(categories);
	return mapping->tracked && tracker_says_unwritten(categories);
}

/* Pages that somebody else maps as well: bit 56 of the word is clear. Words are read for neighbours, too. */
static int split_shared(struct page_walk *walk, struct page_range range)
{
	const uint64_t end = range.start + range.nr_pages * page_size(), window = WORDS * page_size();
	const uint32_t flags = range.flags;

	range.nr_pages = 0;
	for (uint64_t at = range.start; at < end; at += page_size()) {
		uint64_t word;
		bool shared;

		if (!walk->words_at || at - walk->words_at >= window) {
			TRY(pagemap_read_words(walk->tables, at, WORDS, walk->words));
			walk->words_at = at;
		}
		word = walk->words[(at - walk->words_at) / page_size()];
		shared = word & PAGEMAP_PRESENT && !(word & PAGEMAP_EXCLUSIVE);
		if (range.nr_pages && (flags | (shared ? PAGE_SHARED : 0)) != range.flags) {
			*vector_push(walk->ranges) = range;
			range.start += range.nr_pages * page_size();
			range.nr_pages = 0;
		}
		range.flags = flags | (shared ? PAGE_SHARED : 0);
		range.nr_pages++;
	}
	*vector_push(walk->ranges) = range;
	return 0;
}

static int add_pages(struct page_walk *walk, const VmaEntry *vma, uint64_t start, uint64_t end, uint64_t categories)
{
	const struct mapping *mapping = mapping_of(walk, vma);
	bool huge, may_be_lazy;
	struct page_range range = { .start = start, .nr_pages = (end - start) / page_size() };

	if (!mapping || vma->status & VMA_VDSO)
		return 0;
	huge = mapping->vm_flags & VMF(HT);
	may_be_lazy = vma->status & VMA_ANON_PRIVATE && !huge && !mapping->pinned;
	range.flags = may_be_lazy ? PE_PRESENT | PE_LAZY : PE_PRESENT;
	if (walk->has_parent && !mapping->pinned && is_unwritten(walk, mapping, categories)) {
		add_unwritten(walk, start, end, range.flags);
		return 0;
	}
	if (mapping->shared_kb || huge)
		return split_shared(walk, range);
	*vector_push(walk->ranges) = range;
	return 0;
}

static int add_region(struct page_walk *walk, const struct page_region *region)
{
	for (uint64_t at = region->start; at < region->end;) {
		const VmaEntry *vma = find_vma(walk, at);
		uint64_t end;

		if (!vma || vma->start >= region->end)
			break;
		if (at < vma->start)
			at = vma->start;
		end = region->end < vma->end ? region->end : vma->end;
		TRY(add_pages(walk, vma, at, end, region->categories));
		at = end;
	}
	return 0;
}

/* Only mappings with guard pages need the newest kernels. */
static bool has_guards(struct page_walk *walk)
{
	const MmEntry *mm = walk->task->mm;

	for (size_t i = 0; i < mm->n_vmas && !(mm->vmas[i]->status & VMA_GUARD); i++) {
		const struct mapping *mapping = mapping_of(walk, mm->vmas[i]);

		if (mapping && mapping->vm_flags & VMF(GU))
			return true;
	}
	return false;
}

/*
 * Private anonymous memory has no pages of files: not to ask whether each page is one spares the kernel a look at its
 * struct page, which takes five times as long as all the rest (17 ms for a GiB, else 3).
 */
static bool has_no_files(const struct page_walk *walk, const struct mapping *mapping)
{
	const uint64_t others = VMF(HT) | VMF(PF) | VMF(MM) | VMF(IO);

	return walk->tables->has_scan && !mapping->shared && !mapping->inode && !mapping->dev &&
	       !(mapping->vm_flags & others);
}

/* So much of it that it is worth a call of its own. Where it is not known how much there is, there may be. */
static bool is_scanned_alone(const struct page_walk *walk, const struct mapping *mapping)
{
	const bool is_large = mapping->anonymous_kb >= 1024 ||
			      (walk->task->dump->mappings.private_kb && mapping->end - mapping->start >= 1024 << 10);

	return is_large && has_no_files(walk, mapping);
}

/* What is scanned at once. */
struct span {
	uint64_t start, end;
	bool alone; /* nothing but such memory */
};

/*
 * What is scanned next, from *next on: with the ioctl, which skips what is empty, all from the first to the last
 * mapping with content. Without it a hole costs 8 bytes for each of its pages: then mappings that lie side by side.
 * False: no more.
 */
static bool next_span(struct page_walk *walk, size_t *next, struct span *span)
{
	const MmEntry *mm = walk->task->mm;

	*span = (struct span){ 0 };
	for (; *next < mm->n_vmas && !(mm->vmas[*next]->status & VMA_GUARD); ++*next) {
		const VmaEntry *vma = mm->vmas[*next];
		const struct mapping *mapping = mapping_of(walk, vma), *any = walk->last;
		bool alone = mapping && is_scanned_alone(walk, mapping);
		bool fits = span->alone ? any && has_no_files(walk, any) : !alone;

		/* What is ahead has been scanned already. */
		if (span->end && (!fits || (any && any->ahead)))
			break;
		if (!mapping)
			continue;
		if (!span->end)
			*span = (struct span){ .start = vma->start, .alone = alone };
		else if (vma->start != span->end && !walk->tables->has_scan)
			break;
		span->end = vma->end;
		walk->scanned += (vma->end - vma->start) / page_size();
	}
	return span->end;
}

static int find_pages_between(struct page_walk *walk, const struct pagemap_filter *filter, uint64_t at, uint64_t end)
{
	struct page_region regions[REGIONS];

	while (at < end) {
		ssize_t n = pagemap_scan(walk->tables, &at, end, filter, regions, REGIONS);

		TRY(n);
		for (ssize_t i = 0; i < n; i++)
			TRY(add_region(walk, &regions[i]));
		if (deadline_passed(&walk->d->progress->deadline))
			return refuse(
				ETIMEDOUT,
				"looking for its pages takes longer than --timeout allows: it has come to %#" PRIx64,
				at);
	}
	return 0;
}

/* Copies of pages that the task has: not of the file, not the zero page, no guards. */
static struct pagemap_filter filter_of(const struct page_walk *walk, const struct span *span, bool guards)
{
	const uint64_t never = PAGE_IS_PFNZERO | (span->alone ? 0 : PAGE_IS_FILE) | (guards ? PAGE_IS_GUARD : 0);
	struct pagemap_filter filter = { .inverted = never, .all = never, .any = PAGE_IS_PRESENT | PAGE_IS_SWAPPED };

	if (walk->has_parent)
		filter.ret = task_tracking_of(walk->task)->soft_dirty ? SOFT_DIRTY_CATEGORIES : TRACKER_CATEGORIES;
	return filter;
}

static int find_all_pages(struct page_walk *walk)
{
	const bool guards = has_guards(walk);
	struct span span;
	size_t next = 0;

	while (!walk->d->options->no_content && next_span(walk, &next, &span)) {
		const struct pagemap_filter filter = filter_of(walk, &span, guards);

		TRY(find_pages_between(walk, &filter, span.start, span.end));
	}
	find_vma(walk, UINT64_MAX);
	return 0;
}

/* A task of which the images before know nothing is saved whole. */
static int open_parent(struct page_walk *walk, struct page_reader **ret)
{
	struct memory_dump *memory = memory_dump_of(walk->d);
	uint64_t number = (uint64_t)walk->task->vpid;
	int result;

	if (!task_tracking_of(walk->task)->unwritten_known)
		return 0;
	result = memory_sink(walk->d)->ops->has_parent(memory_sink(walk->d), IMAGE_PAGEMAP, number);
	TRY(result);
	walk->has_parent = result;
	if (!result || walk->d->options->use_page_server) /* there the server has the images, and checks */
		return 0;
	TRY(page_reader_open_for(memory->parent, IMAGE_PAGEMAP, number,
				 memory->parent_elsewhere ? PAGES_PLACES : PAGES_ALL, ret));
	walk->parent = *ret;
	return 0;
}

int memory_find_pages(struct dump *d, struct task *task, int proc, page_range_list *ranges, uint64_t *ret_scanned)
{
	struct page_tables tables;
	struct page_walk walk = { .d = d, .task = task, .tables = &tables, .ranges = ranges };
	int result;

	TRY(pagemap_open(&tables, proc));
	result = find_all_pages(&walk);
	pagemap_close(&tables);
	*ret_scanned = walk.scanned;
	return result;
}

int memory_choose_pages(struct dump *d, struct task *task, int proc, page_range_list *ranges)
{
	AUTO(page_reader_close) struct page_reader *parent = NULL;
	struct page_tables tables;
	struct page_walk walk = { .d = d, .task = task, .tables = &tables, .ranges = ranges };
	int result;

	memory_dump_state(d);
	TRY(open_parent(&walk, &parent));
	TRY(pagemap_open(&tables, proc));
	stats_start(d->stats, STATS_MEMDUMP);
	result = find_all_pages(&walk);
	d->stats->pages_scanned += walk.scanned;
	if (result == 0)
		result = memory_leave_equal(d, task, ranges);
	stats_stop(d->stats, STATS_MEMDUMP);
	pagemap_close(&tables);
	return result;
}

/* What was written already is read as a restore reads it. */
static int begin_once(struct dump *d, struct memory_dump *memory)
{
	if (memory->once)
		return 0;
	TRY(store_open_dir(d->options->images_dir_fd, false, &memory->written));
	store_borrow_key(memory->written, dump_store(d));
	memory->once = page_once_create(memory->mover, memory->written);
	return 0;
}

/* Pages that tasks share copy-on-write, and that were saved with another one. */
static int leave_to_others(struct dump *d, const struct page_source *source, range_list *ranges)
{
	struct memory_dump *memory = memory_dump_state(d);
	AUTO_CLOSE int proc = -1;
	bool was_blind;

	if (!d->options->equal_pages)
		return 0;
	proc = proc_open(source->pid);
	TRY(proc);
	TRY(begin_once(d, memory));
	was_blind = page_once_is_blind(memory->once);
	TRY(page_once_leave(memory->once, proc, source, memory->sink->ops->next_id(memory->sink), ranges));
	if (!was_blind && page_once_is_blind(memory->once))
		log_warn("--equal-pages: without CAP_SYS_ADMIN the kernel does not tell which pages tasks share: they "
			 "are saved for each of them");
	return 0;
}

int memory_save_pages(struct dump *d, const struct task *task, const struct page_source *source, range_list *ranges)
{
	struct memory_dump *memory = memory_dump_state(d);
	struct page_sink *sink = memory_sink(d);
	int result;

	stats_start(d->stats, STATS_MEMWRITE);
	result = leave_to_others(d, source, ranges);
	memory_expect_pages(d, task, ranges);
	if (result == 0)
		result = pages_save(memory->mover, source, sink, IMAGE_PAGEMAP, (uint64_t)task->vpid, ranges->items,
				    ranges->n);
	stats_stop(d->stats, STATS_MEMWRITE);
	memory_count_pages(d, ranges);
	return result;
}

int memory_dump_content(struct dump *d, struct task *task)
{
	AUTO_CLOSE int mem = -1;
	struct page_source source = { .pid = task->pid };
	range_list ranges = { 0 };
	int result;

	if (small_task_is(d, task))
		return small_task_add(d, task);
	TRY(small_tasks_save(d)); /* their images have the numbers before its own */
	source.mem = mem = openat(task->dump->proc, "mem", O_RDONLY | O_CLOEXEC);
	if (mem < 0)
		return fail_errno("cannot open its memory");
	if (d->options->live) {
		result = memory_live_keep(d, task);
		if (result)
			return result < 0 ? result : 0;
	}
	result = memory_choose_pages(d, task, task->dump->proc, &ranges);
	if (result == 0)
		result = memory_lazy_leave(d, task, &ranges);
	if (result == 0)
		result = memory_save_pages(d, task, &source, &ranges);
	vector_done(&ranges);
	return result;
}

/* --- pre-dump: the same in two halves --- */

struct task_pages {
	range_list ranges;
	int mem;
};

static void forget_pages(void *state)
{
	struct task_pages *pages = state;

	if (pages->mem >= 0)
		close(pages->mem);
	vector_done(&pages->ranges);
}

static const struct state_type pages_state = { sizeof(struct task_pages), forget_pages };

bool memory_dump_has_chosen(const struct task *task)
{
	return task->dump && state_find(&task->dump->states, &pages_state);
}

/* Records of the mappings that a later dump can leave out. */
static void list_trackable(struct dump *d, struct task *task)
{
	const struct mappings *mappings = &task->dump->mappings;
	VmaEntry *vmas = pool_array(d->pool, VmaEntry, mappings->n + 1);

	task->mm->vmas = pool_array(d->pool, VmaEntry *, mappings->n + 1);
	for (size_t i = 0; i < mappings->n; i++) {
		VmaEntry *vma = &vmas[task->mm->n_vmas];

		if (!memory_is_trackable(&mappings->items[i]))
			continue;
		vma_entry__init(vma);
		vma->start = mappings->items[i].start;
		vma->end = mappings->items[i].end;
		vma->status = VMA_REGULAR | VMA_ANON_PRIVATE;
		vma->flags = MAP_PRIVATE | MAP_ANONYMOUS;
		task->mm->vmas[task->mm->n_vmas++] = vma;
	}
}

int memory_dump_choose(struct dump *d, struct task *task)
{
	struct task_pages *pages = state_make(&task->dump->states, &pages_state);

	pages->mem = openat(task->dump->proc, "mem", O_RDONLY | O_CLOEXEC);
	if (pages->mem < 0)
		return fail_errno("cannot open its memory");
	list_trackable(d, task);
	TRY(memory_dump_choose_shared(d, task));
	return memory_choose_pages(d, task, task->dump->proc, &pages->ranges);
}

int memory_dump_copy(struct dump *d, struct task *task)
{
	struct task_pages *pages = state_find(&task->dump->states, &pages_state);
	const struct page_source source = { .pid = task->pid, .mem = pages->mem, .runs = true };

	return memory_save_pages(d, task, &source, &pages->ranges);
}
