/* SPDX-License-Identifier: GPL-2.0-only */
/* Private pages go back into a task that is being made: written from outside, or left as the task inherited them. */
#include "object/memory/content-restore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/meter.h"
#include "kern/pidfd.h"
#include "kern/proc/pagemap.h"
#include "lib/compel/remote.h"
#include "object/memory/memory-state.h"
#include "object/memory/lazy-restore.h"
#include "object/memory/lent/lent.h"
#include "object/memory/lent/mappings-inherit.h"
#include "object/memory/lent/passed-on.h"
#include "object/memory/mappings-restore.h"
#include "object/memory/memory.h"
#include "object/memory/shared.h"
#include "pages/inherit.h"
#include "plan/plan.h"
#include "session/session.h"
#include "session/stats.h"
#include "vma.pb-c.h"

#define REGIONS	  512
#define HUGE_SIZE (2u << 20)
/* Mappings with less content are written by process_vm_writev(2), many of them in one call. */
#define COPY_AREA_MIN (512u << 10)
/* With less in all such mappings a userfaultfd is not worth its making. */
#define COPY_MIN (4u << 20)
/* Of one plan: the arena is only so big. */
#define STEPS_MAX 1000

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1 /* Linux 5.11 */
#endif

struct fill_task {
	struct restore *r;
	struct task *task;
	struct page_target target;
	page_range_list there; /* pages, of which those in inherited mappings came from the creator */
	size_t next_there;
	struct page_inheritance what;
	VECTOR(struct uffdio_range) copies; /* mappings to be filled through the userfaultfd */
	uint64_t copy_size;
	bool must_copy;
};

/* The workers do not exist yet while images are loaded. */
struct page_mover *memory_mover(const struct restore *r)
{
	struct shared_set *shared = memory_shared_set(r);
	const struct task *task;

	if (shared->mover)
		return shared->mover;
	shared->mover = page_mover_create(r->workers, r->meter);
	for_each_task(task, r->tree)
		meter_expect(r->meter, (int64_t)memory_size_of(task));
	for (size_t i = 0; i < shared->open.n; i++)
		meter_expect(r->meter, (int64_t)shared->open.items[i]->size);
	return shared->mover;
}

/* --- load --- */

static const char *name_of(const struct stored_range *range)
{
	return range->file ? range->file->name : "the lazy pagemap";
}

/* What is left to the daemon must be where it can provide it. */
static int check_lazy(const struct stored_range *range, struct memory_mapping *mapping)
{
	const bool lazy = range->lazy && memory_can_be_lazy(mapping);

	if (!lazy && !range->file)
		return refuse(EINVAL,
			      "the pages at %#" PRIx64
			      " were left to a lazy-pages server, but are not in memory that can be lazy",
			      mapping->vma->start);
	mapping->lazy |= lazy;
	return 0;
}

static int check_ranges(const struct page_reader *reader, struct memory_restore *memory)
{
	size_t k = 0;

	for (size_t i = 0; i < reader->n; i++) {
		const struct stored_range *range = &reader->ranges[i];
		uint64_t end = range->start + range->size;

		for (uint64_t at = range->start; at < end;) {
			while (k < memory->n && memory->mappings[k].vma->end <= at)
				k++;
			if (k == memory->n || memory->mappings[k].vma->start > at ||
			    !(memory->mappings[k].vma->status & (VMA_ANON_PRIVATE | VMA_FILE_PRIVATE | VMA_AIORING)))
				return refuse(EINVAL, "%s has pages at %#" PRIx64 ", where it has no private memory",
					      name_of(range), at);
			TRY(check_lazy(range, &memory->mappings[k]));
			memory->mappings[k].was_used = true;
			at = memory->mappings[k].vma->end;
		}
	}
	memory_find_used(memory);
	return 0;
}

int memory_load_content(const struct restore *r, struct task *task)
{
	struct memory_restore *memory = memory_restore_of(task);
	struct page_reader *reader = NULL;
	int result;

	if (r->options->use_page_server) /* a dump looks at its images: memory is elsewhere */
		return 0;
	result = page_reader_open_for(r->store, IMAGE_PAGEMAP, (uint64_t)task->vpid,
				      memory_is_lazy(r) ? PAGES_EAGER : PAGES_ALL, &reader);
	if (result == -ENOENT)
		return refuse(ENOENT, "pagemap-%d.img is missing", task->vpid);
	TRY(result);
	memory->content = reader;
	memory_shared_set(r)->names_others |= reader->names_others;
	return check_ranges(reader, memory);
}

/* --- fill --- */

static int find_there(struct fill_task *fill, const struct page_tables *tables, uint64_t at, uint64_t end)
{
	const uint64_t never = PAGE_IS_FILE | PAGE_IS_PFNZERO;
	const struct pagemap_filter filter = { .inverted = never,
					       .all = never,
					       .any = PAGE_IS_PRESENT | PAGE_IS_SWAPPED };
	struct page_region regions[REGIONS];

	while (at < end) {
		ssize_t n = pagemap_scan(tables, &at, end, &filter, regions, REGIONS);

		TRY(n);
		for (ssize_t i = 0; i < n; i++)
			*vector_push(&fill->there) = (struct page_range){
				.start = regions[i].start,
				.nr_pages = (regions[i].end - regions[i].start) / page_size(),
			};
		if (deadline_passed(&fill->r->progress->deadline))
			return refuse(ETIMEDOUT, "looking for inherited pages takes longer than --timeout allows");
	}
	return 0;
}

/*
 * Pages that the task has from its creator, or that lie between such: all are looked for at once, but where a hole
 * costs 8 bytes for each of its pages only in mappings that lie side by side.
 */
static int look_for_inherited(struct fill_task *fill)
{
	const struct memory_restore *memory = memory_restore_of(fill->task);
	struct page_tables tables = { .fd = -1 };
	uint64_t start = 0, end = 0;
	int result = 0;

	for (size_t i = 0; i < memory->n && result == 0; i++) {
		const VmaEntry *vma = memory->mappings[i].vma;

		if (!memory->mappings[i].inherited)
			continue;
		if (!end) {
			TRY(pagemap_open(&tables, fill->task->restore->proc));
			start = vma->start;
		} else if (vma->start != end && !tables.has_scan) {
			result = find_there(fill, &tables, start, end);
			start = vma->start;
		}
		end = vma->end;
	}
	if (result == 0)
		result = find_there(fill, &tables, start, end);
	pagemap_close(&tables);
	return result;
}

static int find_inherited(struct fill_task *fill)
{
	const struct memory_restore *memory = memory_restore_of(fill->task);
	struct memory_restore *creator = memory_of_creator(fill->task);

	if (creator && passed_on_find(creator, memory, &fill->there))
		return 0;
	TRY(look_for_inherited(fill));
	/* Where memory is lazy, pages come whenever they want. */
	if (creator && !memory_is_lazy(fill->r) && !fill->r->copy)
		passed_on_keep(creator, memory, &fill->there);
	return 0;
}

/* New memory of this mapping will have huge pages if it is written to, but not if it is copied to. */
static bool wants_huge(const struct memory_mapping *mapping)
{
	static const char path[] = "/sys/kernel/mm/transparent_hugepage/enabled";
	const VmaEntry *vma = mapping->vma;
	char mode[64];

	if ((vma->start + HUGE_SIZE - 1) / HUGE_SIZE * HUGE_SIZE + HUGE_SIZE > vma->end ||
	    vma->madv & 1ull << MADV_NOHUGEPAGE)
		return false;
	if (file_read_text(AT_FDCWD, path, mode, sizeof(mode)) < 0 || strstr(mode, "[never]"))
		return false;
	return vma->madv & 1ull << MADV_HUGEPAGE || strstr(mode, "[always]");
}

static bool can_copy(const struct memory_mapping *mapping, uint64_t size)
{
	/* Where a userfaultfd of the program will watch, no page may be there that was not: no huge ones, and nothing
	 * is left out. */
	if (mapping->vma->watched & UFFDIO_REGISTER_MODE_MISSING)
		return !(mapping->vma->flags & MAP_HUGETLB) && mapping->vma->status & VMA_ANON_PRIVATE;
	return size >= COPY_AREA_MIN && !mapping->inherited && mapping->vma->status & VMA_ANON_PRIVATE &&
	       !(mapping->vma->flags & MAP_HUGETLB) && !wants_huge(mapping);
}

/* Decides how the ranges from `first` on, which are all of the mapping, get there. */
static void choose_way(struct fill_task *fill, const struct memory_mapping *mapping, size_t first)
{
	struct stored_range *ranges = fill->what.ranges.items;
	uint32_t how = memory_first_prot(mapping) & PROT_WRITE ? 0 : PAGE_READ_ONLY; /* protected later */
	uint64_t size = 0;

	for (size_t i = first; i < fill->what.ranges.n; i++)
		size += ranges[i].size;
	if (can_copy(mapping, size)) {
		how |= PAGE_COPY;
		*vector_push(&fill->copies) =
			(struct uffdio_range){ mapping->vma->start, mapping->vma->end - mapping->vma->start };
		fill->copy_size += size;
		fill->must_copy |= size && mapping->vma->watched;
	}
	for (size_t i = first; i < fill->what.ranges.n; i++)
		ranges[i].how |= how;
}

/* Cuts a range off at the borders of a mapping. */
static struct stored_range cut_range(const struct stored_range *whole, const VmaEntry *vma)
{
	struct stored_range range = *whole;
	uint64_t end = range.start + range.size;

	if (range.start < vma->start) {
		range.offset += vma->start - range.start;
		range.start = vma->start;
	}
	range.size = (end < vma->end ? end : vma->end) - range.start;
	return range;
}

/* Of the pages that are there, those in a mapping, which is above the one before. */
static void cut_there(struct fill_task *fill, const VmaEntry *vma, page_range_list *ret)
{
	for (; fill->next_there < fill->there.n; fill->next_there++) {
		const struct page_range *range = &fill->there.items[fill->next_there];
		uint64_t start = range->start, end = start + range->nr_pages * page_size();

		if (start >= vma->end)
			break;
		if (end <= vma->start)
			continue;
		start = start > vma->start ? start : vma->start;
		*vector_push(ret) = (struct page_range){
			.start = start,
			.nr_pages = ((end < vma->end ? end : vma->end) - start) / page_size(),
		};
		if (end > vma->end)
			break; /* the rest is in the next mapping */
	}
}

/* What was inherited where the list has nothing, or something else, goes away. */
static void inherit_mapping(struct fill_task *fill, const struct memory_mapping *mapping,
			    const struct page_list *wanted, uint32_t how)
{
	const size_t first = fill->what.ranges.n;
	page_range_list there = { 0 };

	cut_there(fill, mapping->vma, &there);
	pages_inherit(wanted->ranges, wanted->n, there.items, there.n, how, &fill->what);
	fill->r->stats->pages_skipped_cow += memory_lent_skip(memory_of_creator(fill->task), &fill->what, first);
	vector_done(&there);
}

/* The pages of a mapping that are wanted now: not those that are lazy, and some of its children rather than its own. */
static void add_wanted(struct fill_task *fill, const struct memory_mapping *mapping, const struct page_list *own,
		       uint32_t how)
{
	struct lent_pages *lent = memory_restore_of(fill->task)->lent;
	struct page_list wanted = *own;

	if (lent) {
		const stored_range_list *first;
		size_t begin = memory_lent_choose(lent, mapping, own, &first);

		wanted = (struct page_list){ first->items + begin, first->n - begin };
	}
	if (mapping->inherited) {
		inherit_mapping(fill, mapping, &wanted, how);
		return;
	}
	for (size_t i = 0; i < wanted.n; i++) {
		struct stored_range *range = vector_push(&fill->what.ranges);

		*range = wanted.ranges[i];
		range->how = how;
	}
}

/* *next is the first range that is not wholly below the mapping. */
static void add_mapping(struct fill_task *fill, const struct memory_mapping *mapping, size_t *next)
{
	const struct page_reader *reader = memory_restore_of(fill->task)->content;
	const VmaEntry *vma = mapping->vma;
	uint32_t how = vma->status & VMA_ANON_PRIVATE && !vma->watched ? PAGE_FRESH : 0;
	size_t first = fill->what.ranges.n, begin = *next, end = *next;
	stored_range_list own = { 0 };

	while (end < reader->n && reader->ranges[end].start < vma->end)
		end++;
	/* The last one may reach into the next mapping. */
	*next = end > begin ? end - 1 : end;
	if (mapping->shared)
		return;
	for (size_t i = begin; i < end; i++)
		if (!(mapping->lazy && reader->ranges[i].lazy))
			*vector_push(&own) = cut_range(&reader->ranges[i], vma);
	add_wanted(fill, mapping, &(struct page_list){ own.items, own.n }, how);
	vector_done(&own);
	choose_way(fill, mapping, first);
}

static int add_mappings(struct fill_task *fill)
{
	struct memory_restore *memory = memory_restore_of(fill->task);
	const struct page_reader *reader = memory->content;
	size_t next = 0;

	TRY(find_inherited(fill));
	for (size_t i = 0; i < memory->n; i++) {
		const struct memory_mapping *mapping = &memory->mappings[i];

		while (next < reader->n &&
		       reader->ranges[next].start + reader->ranges[next].size <= mapping->vma->start)
			next++;
		if (memory_is_private(mapping->vma))
			add_mapping(fill, mapping, &next);
	}
	return 0;
}

/* The task makes the userfaultfd, because it is for the memory of its maker; we take it over and use it. */
static int open_uffd(struct fill_task *fill, int *ret_theirs)
{
	struct remote *remote = fill->task->leader->remote;
	struct uffdio_api api = { .api = UFFD_API };
	struct plan *plan = plan_create();
	size_t at = plan_keep_result(plan, plan_syscall(plan, "make a userfaultfd", __NR_userfaultfd,
							V(O_CLOEXEC | UFFD_USER_MODE_ONLY)));
	int result;

	result = remote_run(remote, plan, &fill->r->progress->deadline);
	if (result == 0)
		*ret_theirs = (int)remote_value(remote, at);
	plan_destroy(&plan);
	TRY(result);
	fill->target.uffd = pidfd_take_fd(fill->task->restore->pidfd, *ret_theirs);
	if (fill->target.uffd < 0)
		return fail(-fill->target.uffd, "cannot take its userfaultfd");
	if (ioctl(fill->target.uffd, UFFDIO_API, &api) < 0)
		return fail_errno("cannot use its userfaultfd");
	for (size_t i = 0; i < fill->copies.n; i++) {
		struct uffdio_register reg = { .range = fill->copies.items[i], .mode = UFFDIO_REGISTER_MODE_MISSING };

		if (ioctl(fill->target.uffd, UFFDIO_REGISTER, &reg) < 0)
			return fail_errno("cannot register %#llx-%#llx with a userfaultfd", reg.range.start,
					  reg.range.start + reg.range.len);
	}
	return 0;
}

/* What only the task itself can do: nobody else may drop its pages, and what it made is in its descriptor table. */
static int run_tidy(struct restore *r, struct task *task, int their_uffd, const struct address_range *gone, size_t n)
{
	struct plan *plan = plan_create();
	int result;

	if (their_uffd >= 0)
		plan_syscall(plan, "close the userfaultfd", __NR_close, V(their_uffd));
	for (size_t i = 0; i < n; i++)
		plan_syscall(plan, "drop inherited pages", __NR_madvise, V(gone[i].start),
			     V(gone[i].end - gone[i].start), V(MADV_DONTNEED));
	result = remote_run(task->leader->remote, plan, &r->progress->deadline);
	plan_destroy(&plan);
	return result;
}

int memory_drop_pages(struct restore *r, struct task *task, const struct address_range *ranges, size_t n)
{
	while (n) {
		const size_t some = n < STEPS_MAX ? n : STEPS_MAX;

		TRY(run_tidy(r, task, -1, ranges, some));
		ranges += some;
		n -= some;
	}
	return 0;
}

static int tidy_up(struct fill_task *fill, int their_uffd)
{
	if (their_uffd >= 0)
		TRY(run_tidy(fill->r, fill->task, their_uffd, NULL, 0));
	return memory_drop_pages(fill->r, fill->task, fill->what.gone.items, fill->what.gone.n);
}

static int fill_task(struct fill_task *fill)
{
	struct stats *stats = fill->r->stats;
	struct page_mover *mover = memory_mover(fill->r);
	struct pages_filled filled;
	int their_uffd = -1;

	TRY(add_mappings(fill));
	for (size_t i = 0; i < fill->what.ranges.n; i++)
		meter_expect(fill->r->meter, (int64_t)fill->what.ranges.items[i].size);
	meter_expect(fill->r->meter, -(int64_t)memory_size_of(fill->task));
	if (fill->copy_size >= COPY_MIN || fill->must_copy)
		TRY(open_uffd(fill, &their_uffd));
	else
		for (size_t i = 0; i < fill->what.ranges.n; i++)
			fill->what.ranges.items[i].how &= ~(uint32_t)PAGE_COPY;
	TRY(pages_fill(mover, &fill->target, fill->what.ranges.items, fill->what.ranges.n, &filled));
	for (size_t i = 0; i < fill->what.ranges.n; i++)
		stats->pages_restored += fill->what.ranges.items[i].size / page_size();
	stats->pages_restored -= filled.equal;
	stats->pages_compared += filled.compared;
	stats->pages_skipped_cow += filled.equal;
	if (fill->target.uffd >= 0)
		close(TAKE_FD(fill->target.uffd));
	return tidy_up(fill, their_uffd);
}

int memory_fill(struct restore *r, struct task *task)
{
	struct memory_restore *memory = memory_restore_of(task);
	AUTO_CLOSE int mem = openat(task->restore->proc, "mem", O_RDWR | O_CLOEXEC);
	struct fill_task fill = { .r = r, .task = task, .target = { task->pid, mem, -1 } };
	struct page_reader *reader = memory->content;
	int result;

	if (mem < 0)
		return fail_errno("cannot open its memory");
	memory->lent = memory_lent_begin(r, task);
	result = fill_task(&fill);
	if (fill.target.uffd >= 0)
		close(fill.target.uffd);
	vector_done(&fill.there);
	pages_inherit_done(&fill.what);
	vector_done(&fill.copies);
	memory_lent_keep(memory->lent, &reader);
	page_reader_close(&reader);
	memory->content = NULL;
	return result;
}
