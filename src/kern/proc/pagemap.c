/* SPDX-License-Identifier: LGPL-2.1-only */
/* Page tables of a process, by PAGEMAP_SCAN or, before Linux 6.7, from the words of /proc/PID/pagemap. */
#include "kern/proc/pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "kern/proc/proc.h"

#define WORDS	 4096	    /* read at once: eight page tables of x86_64 */
#define SCAN_MAX (1u << 20) /* words read by one call: the caller may have a time limit */

#define ONLY_IOCTL (PAGE_IS_WPALLOWED | PAGE_IS_WRITTEN | PAGE_IS_HUGE)

/*
 * The kernel collects this many regions before it copies them out. With more room it goes on, but then (seen with 6.18)
 * leaves walk_end at the end of the last full batch though it has walked, and returned, more.
 */
#define SCAN_BATCH 512

static ssize_t scan_by_ioctl(const struct page_tables *map, uint64_t *at, uint64_t end,
			     const struct pagemap_filter *filter, struct page_region *regions, size_t capacity)
{
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.flags = filter->flags,
		.start = *at,
		.end = end,
		.vec = (uintptr_t)regions,
		.vec_len = capacity < SCAN_BATCH ? capacity : SCAN_BATCH,
		.category_inverted = filter->inverted,
		.category_mask = filter->all,
		.category_anyof_mask = filter->any,
		.return_mask = filter->ret,
	};
	int n = ioctl(map->fd, PAGEMAP_SCAN, &arg);

	if (n < 0)
		return -errno;
	*at = arg.walk_end;
	return n;
}

/* Reading an untouched private page maps the zero page; only a privileged reader sees its number. */
static uint64_t find_zero_pfn(uint64_t page_size)
{
	AUTO_CLOSE int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	volatile char *page = mmap(NULL, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t word = 0;
	ssize_t n;

	if (page == MAP_FAILED)
		return UINT64_MAX;
	(void)*page;
	n = fd < 0 ? -1 : io_pread(fd, &word, sizeof(word), (off_t)((uintptr_t)page / page_size * sizeof(word)));
	munmap((void *)page, page_size);
	if (n != sizeof(word) || !(word & PAGEMAP_PRESENT) || !(word & PAGEMAP_PFN))
		return UINT64_MAX;
	return word & PAGEMAP_PFN;
}

int pagemap_open(struct page_tables *map, int proc)
{
	const struct pagemap_filter nothing = { .all = PAGE_IS_PRESENT };
	struct page_region region;
	uint64_t at = 0;

	*map = (struct page_tables){ .fd = openat(proc, "pagemap", O_RDONLY | O_CLOEXEC), .zero_pfn = UINT64_MAX };
	if (map->fd < 0)
		return proc_fail(errno, "pagemap");
	map->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	map->has_scan = scan_by_ioctl(map, &at, 0, &nothing, &region, 1) >= 0;
	if (!map->has_scan)
		map->zero_pfn = find_zero_pfn(map->page_size);
	return 0;
}

void pagemap_close(struct page_tables *map)
{
	if (map->fd >= 0)
		close(map->fd);
	map->fd = -1;
}

int pagemap_read_words(const struct page_tables *map, uint64_t address, size_t n, uint64_t *words)
{
	size_t size = n * sizeof(*words);
	ssize_t got = io_pread(map->fd, words, size, (off_t)(address / map->page_size * sizeof(*words)));

	if (got < 0)
		return proc_fail((int)-got, "pagemap");
	memset((char *)words + got, 0, size - (size_t)got);
	return 0;
}

static uint64_t categories_of(const struct page_tables *map, uint64_t word)
{
	uint64_t categories = 0;

	if (word & PAGEMAP_PRESENT)
		categories |= PAGE_IS_PRESENT;
	if (word & PAGEMAP_SWAPPED)
		categories |= PAGE_IS_SWAPPED;
	if (word & PAGEMAP_FILE)
		categories |= PAGE_IS_FILE;
	if (word & PAGEMAP_SOFT_DIRTY)
		categories |= PAGE_IS_SOFT_DIRTY;
	if (word & PAGEMAP_GUARD)
		categories |= PAGE_IS_GUARD;
	if ((word & PAGEMAP_PRESENT) && (word & PAGEMAP_PFN) == map->zero_pfn)
		categories |= PAGE_IS_PFNZERO;
	/* A read maps the zero page without a soft-dirty bit; who may not see its number takes it for written. */
	if ((word & PAGEMAP_PRESENT) && !(word & PAGEMAP_EXCLUSIVE) && map->zero_pfn == UINT64_MAX)
		categories |= PAGE_IS_SOFT_DIRTY;
	return categories;
}

static bool matches_filter(const struct pagemap_filter *filter, uint64_t categories)
{
	categories ^= filter->inverted;
	return (categories & filter->all) == filter->all && (!filter->any || (categories & filter->any));
}

/* Adds a page to the last region or as a new one; false if there is no room. */
static bool add_page(struct page_region *regions, size_t capacity, size_t *n, uint64_t page, uint64_t size,
		     uint64_t categories)
{
	struct page_region *last = *n ? &regions[*n - 1] : NULL;

	if (last && last->end == page && last->categories == categories) {
		last->end += size;
		return true;
	}
	if (*n == capacity)
		return false;
	regions[(*n)++] = (struct page_region){ page, page + size, categories };
	return true;
}

static ssize_t scan_by_words(const struct page_tables *map, uint64_t *at, uint64_t end,
			     const struct pagemap_filter *filter, struct page_region *regions, size_t capacity)
{
	const bool wants_empty = matches_filter(filter, 0);
	uint64_t words[WORDS];
	size_t n = 0, read = 0;

	if (filter->flags || ((filter->all | filter->any) & ONLY_IOCTL))
		return -EOPNOTSUPP;
	for (; *at < end && read < SCAN_MAX; read += WORDS) {
		uint64_t pages = (end - *at + map->page_size - 1) / map->page_size;

		if (pages > WORDS)
			pages = WORDS;
		TRY(pagemap_read_words(map, *at, pages, words));
		for (uint64_t i = 0; i < pages; i++, *at += map->page_size) {
			uint64_t categories;

			if (!words[i] && !wants_empty)
				continue;
			categories = categories_of(map, words[i]);
			if (matches_filter(filter, categories) &&
			    !add_page(regions, capacity, &n, *at, map->page_size, categories & filter->ret))
				return (ssize_t)n;
		}
	}
	return (ssize_t)n;
}

ssize_t pagemap_scan(const struct page_tables *map, uint64_t *at, uint64_t end, const struct pagemap_filter *filter,
		     struct page_region *regions, size_t capacity)
{
	ssize_t n;

	if (!map->has_scan)
		return scan_by_words(map, at, end, filter, regions, capacity);
	n = scan_by_ioctl(map, at, end, filter, regions, capacity);
	return n < 0 ? proc_fail((int)-n, "pagemap") : n;
}
