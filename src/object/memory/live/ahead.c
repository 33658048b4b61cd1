/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dump --live: a copy-on-write child takes a task 25 ms of standing still for each GiB in small pages. So such memory,
 * if it could not move into huge pages (huge.c), is copied into a file without a name while the task runs, and what it
 * writes to meanwhile is noted. In the freeze only that is copied once more. The images are made of both when the task
 * runs again. A task that writes too fast for that, or in ways that nobody sees, has a child.
 */
#include "object/memory/live/ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/io.h"
#include "base/log.h"
#include "kern/proc/maps.h"
#include "kern/proc/proc.h"
#include "object/memory/aio/aio.h"
#include "object/memory/content.h"
#include "object/memory/live/writes.h"
#include "object/memory/memory-state.h"
#include "object/memory/memory.h"
#include "object/memory/track.h"
#include "object/memory/uring/uring-wait.h"
#include "session/session.h"
#include "session/state.h"

#define WORTH_KB    (32ull << 10) /* in small pages: the child would take a millisecond */
#define PASSES	    6
#define FEW_PAGES   1024 /* are copied in the freeze, in a millisecond or two */
#define CHILD_COSTS 8	 /* so many pages in the child take as long as to copy one */

struct ahead_task {
	pid_t pid;
	struct memory_writes writes;
	bool done;	/* another pass would not help */
	uint64_t pages; /* that the last one has copied */
	bool kept;
	int mem;  /* its /proc/PID/mem */
	int file; /* what was copied before the freeze: its areas, one behind the other; -1: it is given up */
	int late; /* what was copied in it, as late_ranges have it */
	page_range_list late_ranges;
};

struct ahead {
	struct page_mover *mover; /* does not count: the images are made later */
	VECTOR(struct ahead_task) items;
};

static void drop_copies(struct ahead_task *task)
{
	if (task->file >= 0)
		close(TAKE_FD(task->file));
	if (task->late >= 0)
		close(TAKE_FD(task->late));
	vector_done(&task->late_ranges);
	task->kept = false;
}

static void destroy_ahead(void *state)
{
	struct ahead *ahead = state;

	for (size_t i = 0; i < ahead->items.n; i++) {
		if (ahead->items.items[i].mem >= 0)
			close(ahead->items.items[i].mem);
		memory_writes_done(&ahead->items.items[i].writes);
		drop_copies(&ahead->items.items[i]);
	}
	vector_done(&ahead->items);
	page_mover_destroy(&ahead->mover);
}

static const struct state_type ahead_state = { sizeof(struct ahead), destroy_ahead };

static struct ahead_task *find_task(const struct dump *d, pid_t pid)
{
	struct ahead *ahead = state_find(d->states, &ahead_state);

	for (size_t i = 0; ahead && i < ahead->items.n; i++)
		if (ahead->items.items[i].pid == pid)
			return &ahead->items.items[i];
	return NULL;
}

/* --- before the freeze --- */

/* What is tracked since parent images, or lies nowhere on a disk as it is, or is looked at page by page, has a child.
 */
static bool may_be_copied(const struct dump *d)
{
	const struct options *options = d->options;

	return !memory_dump_state(d)->parent && !options->use_page_server && !options->encrypt_to.n &&
	       !options->equal_pages && !options->no_content && !options->freeze_cgroup;
}

/* Worth it if much of it is in small pages: huge ones would be copied for nothing. */
static bool is_worth_it(const struct mappings *mappings, uint64_t moved)
{
	uint64_t all = 0, huge = moved >> 10;

	for (size_t i = 0; i < mappings->n; i++) {
		if (mappings->items[i].vm_flags & (VMF(UM) | VMF(UW) | VMF(UI)))
			return false;
		if (memory_is_trackable(&mappings->items[i])) {
			all += mappings->items[i].anonymous_kb;
			huge += mappings->items[i].anon_huge_kb;
		}
	}
	return all >= huge + WORTH_KB && all - huge >= all / 4;
}

/* The images will need the same room once more. */
static int make_file(const struct dump *d, uint64_t size)
{
	struct statvfs fs;
	int fd;

	if (fstatvfs(d->options->images_dir_fd, &fs) < 0)
		return -errno;
	if (fs.f_bavail * fs.f_frsize / 2 < size)
		return -ENOSPC;
	fd = openat(d->options->images_dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

int memory_ahead_begin(struct dump *d, pid_t pid, int proc, const struct mappings *mappings, uint64_t huge)
{
	struct ahead *ahead;
	struct ahead_task task = { .pid = pid, .late = -1 };
	int result;

	if (!may_be_copied(d) || !is_worth_it(mappings, huge) || memory_writes_are_hidden(proc, mappings))
		return 0;
	result = memory_writes_begin(d, pid, proc, mappings, &task.writes);
	if (result <= 0)
		return result;
	task.mem = openat(proc, "mem", O_RDONLY | O_CLOEXEC);
	task.file = make_file(d, task.writes.size);
	if (task.file < 0) {
		log_info("Task %d: its memory is not copied before it stands still: %s", pid, strerror(-task.file));
		memory_writes_done(&task.writes);
		return 0;
	}
	ahead = state_get(d->states, &ahead_state);
	if (!ahead->mover)
		ahead->mover = page_mover_create(d->workers, NULL);
	*vector_push(&ahead->items) = task;
	return 0;
}

/* A file that has the areas of a task one behind the other. */
struct slot_sink {
	struct page_sink base;
	const struct ahead_task *task;
	const page_range_list *ranges;
};

static const struct written_area *area_of(const struct memory_writes *writes, uint64_t address)
{
	for (size_t i = 0; i < writes->areas.n; i++)
		if (address < writes->areas.items[i].end)
			return &writes->areas.items[i];
	return NULL;
}

/* The first range that has data at this offset or behind it. */
static size_t find_range(const page_range_list *ranges, uint64_t offset)
{
	size_t low = 0, high = ranges->n;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (ranges->items[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int write_to_slots(struct page_sink *base, struct page_block *block)
{
	const struct slot_sink *sink = (const struct slot_sink *)base;
	size_t done = 0;

	for (size_t i = find_range(sink->ranges, block->offset); done < block->size; i++) {
		const struct page_range *range = &sink->ranges->items[i];
		const uint64_t skip = block->offset + done - range->offset;
		const uint64_t left = range->nr_pages * page_size() - skip;
		const size_t size = left < block->size - done ? left : block->size - done;
		const struct written_area *area = area_of(&sink->task->writes, range->start);

		TRY(io_pwrite(sink->task->file, block->data + done, size,
			      (off_t)(area->slot + range->start - area->start + skip)));
		done += size;
	}
	return 0;
}

static const struct page_sink_ops slot_sink_ops = { .write = write_to_slots };

static int copy_ranges(const struct ahead *ahead, const struct ahead_task *task, page_range_list *ranges)
{
	const struct page_source source = { .pid = task->pid, .mem = task->mem, .runs = true };
	struct slot_sink sink = { { &slot_sink_ops }, task, ranges };
	const uint64_t size = pages_place(ranges->items, ranges->n);

	return size ? pages_copy(ahead->mover, &source, &sink.base, ranges->items, ranges->n, size) : 0;
}

static uint64_t count_pages(const page_range_list *ranges)
{
	uint64_t n = 0;

	for (size_t i = 0; i < ranges->n; i++)
		n += ranges->items[i].nr_pages;
	return n;
}

/* One pass. 1: another one would help. */
static int copy_task(const struct ahead *ahead, struct ahead_task *task)
{
	page_range_list ranges = { 0 };
	const uint64_t before = task->pages;
	int result = memory_writes_take(&task->writes, &ranges);

	if (result == 0)
		result = copy_ranges(ahead, task, &ranges);
	task->pages = count_pages(&ranges);
	vector_done(&ranges);
	log_debug("Task %d: %" PRIu64 " pages were copied before it stands still", task->pid, task->pages);
	if (result < 0)
		return result;
	return !before || (task->pages > FEW_PAGES && task->pages <= before / 2);
}

/* By now it may have opened what it did not have. */
static bool is_hidden_now(const struct ahead_task *task)
{
	static const struct mappings none;
	AUTO_CLOSE int proc = proc_open(task->pid);

	return proc < 0 || memory_writes_are_hidden(proc, &none);
}

int memory_ahead_copy(struct dump *d)
{
	struct ahead *ahead = state_find(d->states, &ahead_state);
	bool goes_on = ahead;

	for (unsigned pass = 0; pass < PASSES && goes_on; pass++) {
		goes_on = false;
		for (size_t i = 0; i < ahead->items.n; i++) {
			struct ahead_task *task = &ahead->items.items[i];

			if (task->file < 0 || task->done)
				continue;
			int result = copy_task(ahead, task);

			TRY(interrupt_check());
			if (result < 0)
				drop_copies(task);
			task->done = result <= 0;
			goes_on |= result > 0;
		}
	}
	for (size_t i = 0; ahead && i < ahead->items.n; i++)
		if (is_hidden_now(&ahead->items.items[i]))
			drop_copies(&ahead->items.items[i]);
	return 0;
}

/* --- in it --- */

void memory_ahead_find(const struct dump *d, struct task *task)
{
	const struct ahead_task *ahead = find_task(d, task->pid);
	struct mappings *mappings = &task->dump->mappings;

	for (size_t i = 0; ahead && i < mappings->n; i++) {
		struct mapping *m = &mappings->items[i];

		if (!memory_writes_own(&ahead->writes, m))
			continue;
		m->vm_flags &= ~VMF(UW);
		/* What was not there at that time, or is not such memory any more, is copied as a whole. */
		m->ahead = ahead->file >= 0 && memory_is_trackable(m) && memory_writes_area(&ahead->writes, m);
	}
}

static void give_up(struct ahead_task *ahead, struct task *task)
{
	for (size_t i = 0; i < task->dump->mappings.n; i++)
		task->dump->mappings.items[i].ahead = false;
	drop_copies(ahead);
}

static bool may_be_kept(const struct dump *d, const struct task *task)
{
	bool any = false;

	for (size_t i = 0; i < task->dump->mappings.n; i++) {
		if (aio_is_ring(&task->dump->mappings.items[i]))
			return false;
		any |= task->dump->mappings.items[i].ahead;
	}
	return any && !uring_may_write(d, task);
}

/* What a child would cost, in small pages. */
static uint64_t count_small(const struct task *task)
{
	uint64_t kb = 0;

	for (size_t i = 0; i < task->dump->mappings.n; i++) {
		const struct mapping *m = &task->dump->mappings.items[i];

		if (!m->shared && m->anonymous_kb > m->anon_huge_kb)
			kb += m->anonymous_kb - m->anon_huge_kb;
	}
	return (kb << 10) / page_size();
}

static int compare_ranges(const void *a, const void *b)
{
	const struct page_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* What was written to since it was copied, and what was not copied. */
static int choose_late(struct dump *d, struct task *task, struct ahead_task *ahead)
{
	page_range_list *ranges = &ahead->late_ranges;

	for (size_t i = 0; i < task->dump->mappings.n; i++)
		if (task->dump->mappings.items[i].ahead)
			TRY(memory_writes_take_last(d, &ahead->writes, &task->dump->mappings.items[i], ranges));
	TRY(memory_choose_pages(d, task, task->dump->proc, ranges));
	qsort(ranges->items, ranges->n, sizeof(*ranges->items), compare_ranges);
	return 0;
}

struct late_sink {
	struct page_sink base;
	int file;
};

static int write_late(struct page_sink *base, struct page_block *block)
{
	ssize_t done = io_pwrite(((struct late_sink *)base)->file, block->data, block->size, (off_t)block->offset);

	return done < 0 ? fail((int)-done, "keeping pages of a task") : 0;
}

static const struct page_sink_ops late_sink_ops = { .write = write_late };

/* Not into the images directory: a disk that is busy would hold us up. */
static int copy_late(const struct dump *d, const struct task *task, struct ahead_task *ahead)
{
	AUTO_CLOSE int mem = openat(task->dump->proc, "mem", O_RDONLY | O_CLOEXEC);
	const struct page_source source = { .pid = task->pid, .mem = mem };
	const struct ahead *all = state_find(d->states, &ahead_state);
	page_range_list *ranges = &ahead->late_ranges;
	const uint64_t size = pages_place(ranges->items, ranges->n);
	struct late_sink sink = { { &late_sink_ops }, memfd_create("criu-late", MFD_CLOEXEC) };

	ahead->late = sink.file;
	if (mem < 0 || sink.file < 0)
		return fail_errno("keeping pages of a task");
	return size ? pages_copy(all->mover, &source, &sink.base, ranges->items, ranges->n, size) : 0;
}

int memory_ahead_keep(struct dump *d, struct task *task)
{
	struct ahead_task *ahead = find_task(d, task->pid);
	uint64_t pages, small;

	if (!ahead || ahead->file < 0)
		return 0;
	if (!may_be_kept(d, task)) {
		give_up(ahead, task);
		return 0;
	}
	TRY(choose_late(d, task, ahead));
	pages = count_pages(&ahead->late_ranges);
	small = count_small(task);
	log_info("%" PRIu64 " pages were written to since they were copied, or are new; of %" PRIu64, pages, small);
	if (pages > FEW_PAGES && pages > small / CHILD_COSTS) {
		give_up(ahead, task);
		return 0;
	}
	TRY(copy_late(d, task, ahead));
	ahead->kept = true;
	return 1;
}

/* --- after it --- */

void memory_ahead_let_go(struct dump *d)
{
	struct ahead *ahead = state_find(d->states, &ahead_state);

	for (size_t i = 0; ahead && i < ahead->items.n; i++)
		memory_writes_end(&ahead->items.items[i].writes);
}

struct kept_pages {
	page_range_list ranges;
	VECTOR(struct page_copy) places;
};

static void add_pages(struct kept_pages *kept, const struct page_range *range, int fd, uint64_t offset)
{
	struct page_range *last = kept->ranges.n ? &kept->ranges.items[kept->ranges.n - 1] : NULL;
	const uint64_t end = range->start + range->nr_pages * page_size();

	*vector_push(&kept->places) = (struct page_copy){ range->start, end, offset, fd };
	if (last && last->flags == range->flags && last->start + last->nr_pages * page_size() == range->start)
		last->nr_pages += range->nr_pages;
	else
		*vector_push(&kept->ranges) = *range;
}

/* All late ones that begin below the address. */
static size_t add_late(struct kept_pages *kept, const struct ahead_task *ahead, size_t next, uint64_t address)
{
	const page_range_list *late = &ahead->late_ranges;

	for (; next < late->n && late->items[next].start < address; next++)
		add_pages(kept, &late->items[next], ahead->late, late->items[next].offset);
	return next;
}

/* What was copied before the freeze and is the same in it; the late ones lie between. */
static size_t add_mapping(struct kept_pages *kept, const struct ahead_task *ahead, size_t next, const struct mapping *m)
{
	const struct written_area *area = memory_writes_area(&ahead->writes, m);
	const uint64_t first = (m->start - area->start) / page_size(), end = (m->end - area->start) / page_size();
	uint64_t stop;

	for (uint64_t page = first; page < end; page = stop) {
		struct page_range range = { .start = area->start + page * page_size(),
					    .flags = PE_PRESENT | (m->pinned ? 0 : PE_LAZY) };

		for (stop = page; stop < end && written_area_has(area, stop); stop++)
			;
		range.nr_pages = stop - page;
		if (!range.nr_pages) {
			stop = page + 1;
			continue;
		}
		next = add_late(kept, ahead, next, range.start);
		add_pages(kept, &range, ahead->file, area->slot + page * page_size());
	}
	return next;
}

int memory_ahead_save(struct dump *d, struct task *task)
{
	const struct ahead_task *ahead = find_task(d, task->pid);
	struct kept_pages kept = { 0 };
	struct page_source source = { .pid = -1, .mem = -1 };
	size_t next = 0;
	int result;

	if (!ahead || !ahead->kept)
		return 0;
	for (size_t i = 0; i < task->dump->mappings.n; i++)
		if (task->dump->mappings.items[i].ahead)
			next = add_mapping(&kept, ahead, next, &task->dump->mappings.items[i]);
	add_late(&kept, ahead, next, UINT64_MAX);
	source.places = kept.places.items;
	source.n_places = kept.places.n;
	result = memory_save_pages(d, task, &source, &kept.ranges);
	vector_done(&kept.ranges);
	vector_done(&kept.places);
	return result < 0 ? result : 1;
}
