/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dump --live: which private pages a task, which runs, writes to. A userfaultfd of it protects them, and the kernel
 * notes the first write to each and lets it happen (kern/track.h). No descriptor of the task leads to it.
 */
#include "object/memory/live/writes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "base/workers.h"
#include "kern/proc/fdinfo.h"
#include "kern/proc/maps.h"
#include "kern/track.h"
#include "lib/compel/copy.h"
#include "lib/compel/tracee.h"
#include "object/memory/aio/aio.h"
#include "object/memory/track.h"
#include "session/session.h"

#define AREA_MIN (1ull << 20)
#define REGIONS	 512
/* Who maps or unmaps memory waits that long: 2 ms. */
#define AT_ONCE (64ull << 20)
/* To end the watch, all who touch memory that is not there wait: 1 ms. */
#define END_AT_ONCE (16ull << 20)
#define END_WHOLE   (64ull << 20)
#define CHUNK	    (256ull << 20) /* for one worker */

/* --- who else writes --- */

static bool is_direct(int proc, struct fdinfo *info, int number)
{
	char path[32], link[64];
	struct stat stat;
	uint64_t flags;

	snprintf(path, sizeof(path), "fd/%d", number);
	if (file_readlink(proc, path, link, sizeof(link)) >= 0 && !strcmp(link, "anon_inode:[io_uring]"))
		return true;
	if (fdinfo_read(info, number) < 0 || fdinfo_get_u64(info, "flags", 8, &flags) < 0 || !(flags & O_DIRECT))
		return false;
	return fstatat(proc, path, &stat, 0) < 0 || !S_ISFIFO(stat.st_mode); /* there it means something else */
}

bool memory_writes_are_hidden(int proc, const struct mappings *mappings)
{
	AUTO(fdinfo_done) struct fdinfo info = { .dir = -1 };
	AUTO_FREE int *numbers = NULL;
	int n;

	for (size_t i = 0; i < mappings->n; i++)
		if (aio_is_ring(&mappings->items[i]))
			return true;
	n = fd_list(proc, "fd", &numbers);
	if (n < 0 || fdinfo_open(&info, proc) < 0)
		return true;
	for (int i = 0; i < n; i++)
		if (is_direct(proc, &info, numbers[i]))
			return true;
	return false;
}

/* --- begin --- */

static int make_in(struct dump *d, pid_t pid, int proc, const struct mappings *mappings, struct pool *pool)
{
	AUTO_CLOSE int mem = openat(proc, "mem", O_RDWR | O_CLOEXEC);
	struct parasite_process process = { .tid = pid, .proc = proc, .mem = mem, .watch = d->watch };
	int fd = -1;

	if (mem < 0)
		return -errno;
	TRY(parasite_watch_await(d->watch));
	TRY(parasite_read_state(pid, pool, &process.state));
	TRY(parasite_find_place(mem, pid, mappings, process.state.home, d->parasite_cache, &process.place));
	TRY(parasite_make_userfaultfd(&process, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY, pool,
				      &d->progress->deadline, &fd));
	return fd;
}

int memory_writes_userfaultfd(struct dump *d, pid_t pid, int proc, const struct mappings *mappings)
{
	AUTO(pool_destroy) struct pool *pool = pool_create();
	int result, signal;

	parasite_look_ahead(d->parasite_cache, pid, mappings);
	result = tracee_seize(pid, true);
	if (result < 0)
		return result;
	result = tracee_wait_stop(pid, &d->progress->deadline, &signal);
	if (result == 0)
		result = make_in(d, pid, proc, mappings, pool);
	tracee_release(pid);
	if (result == -ETIMEDOUT)
		return fail(ETIMEDOUT, "task %d does not stop", pid);
	return result;
}

static bool is_worth_watching(const struct mapping *m)
{
	return memory_is_trackable(m) && m->end - m->start >= AREA_MIN && !(m->vm_flags & VMF(GD)) &&
	       (!m->name || !text_starts(m->name, "[stack"));
}

static void add_area(struct memory_writes *writes, const struct mapping *m)
{
	struct written_area *last = writes->areas.n ? &writes->areas.items[writes->areas.n - 1] : NULL;
	const bool shared = m->shared_kb > 0;

	if (tracker_watch(writes->uffd, m->start, m->end) < 0 ||
	    tracker_forget(writes->uffd, &writes->tables, m->start, m->end) < 0)
		return; /* it is not there any more, or somebody else watches it */
	writes->size += m->end - m->start;
	if (last && last->end == m->start && last->shared == shared) {
		last->end = m->end;
		return;
	}
	*vector_push(&writes->areas) = (struct written_area){
		.start = m->start,
		.end = m->end,
		.slot = writes->size - (m->end - m->start),
		.shared = shared,
	};
}

int memory_writes_begin(struct dump *d, pid_t pid, int proc, const struct mappings *mappings, struct memory_writes *ret)
{
	struct memory_writes writes = { .uffd = memory_writes_userfaultfd(d, pid, proc, mappings) };

	if (writes.uffd == -ETIMEDOUT)
		return writes.uffd;
	if (writes.uffd < 0) {
		log_info("What task %d writes to cannot be watched: %s", pid, strerror(-writes.uffd));
		return 0;
	}
	if (tracker_start(writes.uffd, TRACKING_PROTECTION) < 0 || pagemap_open(&writes.tables, proc) < 0) {
		close(writes.uffd);
		return 0;
	}
	for (size_t i = 0; writes.tables.has_scan && i < mappings->n; i++)
		if (is_worth_watching(&mappings->items[i]))
			add_area(&writes, &mappings->items[i]);
	for (size_t i = 0; i < writes.areas.n; i++) {
		struct written_area *area = &writes.areas.items[i];

		area->pages = xzalloc(((area->end - area->start) / page_size() / 64 + 1) * sizeof(*area->pages));
	}
	*ret = writes;
	return 1;
}

/* --- what was written to --- */

static void set_pages(struct written_area *area, uint64_t start, uint64_t end, bool there)
{
	uint64_t page = (start - area->start) / page_size(), stop = (end - area->start) / page_size();

	for (; page < stop; page++) {
		uint64_t *word = &area->pages[page / 64];

		if (page % 64 == 0 && stop - page >= 64) {
			*word = there ? UINT64_MAX : 0;
			page += 63;
		} else if (there) {
			*word |= 1ull << page % 64;
		} else {
			*word &= ~(1ull << page % 64);
		}
	}
}

static struct page_range range_of(const struct written_area *area, const struct page_region *region)
{
	return (struct page_range){
		.start = region->start,
		.nr_pages = (region->end - region->start) / page_size(),
		.flags = PE_PRESENT | (area->shared ? PAGE_SHARED : 0),
	};
}

/* Protected first, and then copied: a write in between counts as one. */
static int take_area(const struct page_tables *tables, struct written_area *area, page_range_list *ranges)
{
	const struct pagemap_filter written = {
		.all = PAGE_IS_WPALLOWED | PAGE_IS_WRITTEN,
		.any = PAGE_IS_PRESENT | PAGE_IS_SWAPPED, /* a mark in an empty place would look like a swapped page */
		.ret = PAGE_IS_PFNZERO,
		.flags = PM_SCAN_WP_MATCHING,
	};
	struct page_region regions[REGIONS];

	for (uint64_t at = area->start; at < area->end;) {
		const uint64_t stop = area->end - at < AT_ONCE ? area->end : at + AT_ONCE;
		ssize_t n = 0;

		while (at < stop && n >= 0) {
			n = pagemap_scan(tables, &at, stop, &written, regions, REGIONS);
			for (ssize_t i = 0; i < n; i++) {
				const bool zero = regions[i].categories & PAGE_IS_PFNZERO;

				set_pages(area, regions[i].start, regions[i].end, !zero);
				if (!zero)
					*vector_push(ranges) = range_of(area, &regions[i]);
			}
		}
		TRY(n);
	}
	return 0;
}

int memory_writes_take(struct memory_writes *writes, page_range_list *ranges)
{
	for (size_t i = 0; i < writes->areas.n; i++)
		TRY(take_area(&writes->tables, &writes->areas.items[i], ranges));
	return 0;
}

/* --- the last time: the task stands still --- */

const struct written_area *memory_writes_area(const struct memory_writes *writes, const struct mapping *m)
{
	for (size_t i = 0; i < writes->areas.n; i++)
		if (m->start >= writes->areas.items[i].start && m->end <= writes->areas.items[i].end)
			return &writes->areas.items[i];
	return NULL;
}

/*
 * What was mapped since is not watched, nor is what was moved; and what was watched by others, or in a process that has
 * executed another program, is not ours: EBUSY, ESRCH.
 */
bool memory_writes_own(const struct memory_writes *writes, const struct mapping *m)
{
	return m->vm_flags & VMF(UW) && !(m->vm_flags & (VMF(UM) | VMF(UI))) &&
	       tracker_watch(writes->uffd, m->start, m->end) == 0;
}

struct last_look {
	const struct page_tables *tables;
	const struct mapping *mapping;
	size_t n;
	struct {
		VECTOR(struct page_region) regions;
	} * chunks;
};

/* Not there, or written to. */
static int look_at_chunk(void *arg, size_t item, unsigned worker)
{
	const struct pagemap_filter changed = {
		.inverted = PAGE_IS_PRESENT,
		.any = PAGE_IS_PRESENT | PAGE_IS_WRITTEN,
		.ret = PAGE_IS_PRESENT | PAGE_IS_SWAPPED | PAGE_IS_WRITTEN | PAGE_IS_PFNZERO,
	};
	const struct last_look *look = arg;
	struct page_region regions[REGIONS];
	uint64_t at = look->mapping->start + item * CHUNK;
	const uint64_t end = look->mapping->end - at < CHUNK ? look->mapping->end : at + CHUNK;

	while (at < end) {
		ssize_t n = pagemap_scan(look->tables, &at, end, &changed, regions, REGIONS);

		TRY(n);
		for (ssize_t i = 0; i < n; i++)
			*vector_push(&look->chunks[item].regions) = regions[i];
	}
	return 0;
}

static void take_region(struct written_area *area, const struct page_region *region, page_range_list *ranges)
{
	set_pages(area, region->start, region->end, false);
	if (region->categories & (PAGE_IS_PRESENT | PAGE_IS_SWAPPED) && !(region->categories & PAGE_IS_PFNZERO))
		*vector_push(ranges) = range_of(area, region);
}

int memory_writes_take_last(struct dump *d, struct memory_writes *writes, const struct mapping *m,
			    page_range_list *ranges)
{
	struct written_area *area = (struct written_area *)memory_writes_area(writes, m);
	struct last_look look = { &writes->tables, m, (m->end - m->start + CHUNK - 1) / CHUNK, NULL };
	int result = 0;

	look.chunks = xzalloc(look.n * sizeof(*look.chunks));
	for (size_t i = 0; look.n == 1 && i < look.n; i++)
		result = look_at_chunk(&look, i, 0);
	if (look.n > 1)
		result = workers_run(d->workers, look.n, look_at_chunk, &look);
	for (size_t i = 0; i < look.n; i++) {
		for (size_t k = 0; k < look.chunks[i].regions.n; k++)
			take_region(area, &look.chunks[i].regions.items[k], ranges);
		vector_done(&look.chunks[i].regions);
	}
	free(look.chunks);
	return result;
}

/* --- end --- */

/* mremap(2) takes only what is one mapping, so a smaller one is left in one piece. */
void memory_writes_leave(int uffd, uint64_t start, uint64_t end)
{
	const uint64_t step = end - start <= END_WHOLE ? end - start : END_AT_ONCE;

	for (uint64_t at = start; at < end; at += step)
		(void)tracker_leave(uffd, at, end - at < step ? end : at + step);
}

void memory_writes_end(struct memory_writes *writes)
{
	for (size_t i = 0; writes->uffd >= 0 && i < writes->areas.n; i++)
		memory_writes_leave(writes->uffd, writes->areas.items[i].start, writes->areas.items[i].end);
	if (writes->uffd >= 0)
		close(TAKE_FD(writes->uffd));
}

void memory_writes_done(struct memory_writes *writes)
{
	memory_writes_end(writes);
	for (size_t i = 0; i < writes->areas.n; i++)
		free(writes->areas.items[i].pages);
	vector_done(&writes->areas);
	pagemap_close(&writes->tables);
}
