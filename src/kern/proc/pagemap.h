/* SPDX-License-Identifier: LGPL-2.1-only */
/* Which pages of a process are there: /proc/PID/pagemap and its ioctl PAGEMAP_SCAN. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kern/syscalls.h"

struct page_tables {
	int fd;
	bool has_scan; /* PAGEMAP_SCAN; false: categories come from the words */
	uint64_t page_size;
	uint64_t zero_pfn; /* the zero page, UINT64_MAX if unknown; for scanning without the ioctl */
};

/* A page matches if ((its categories ^ inverted) & all) == all and, unless any is 0, (.. & any) != 0. PAGE_IS_.. */
struct pagemap_filter {
	uint64_t inverted, all, any;
	uint64_t ret;	/* categories that are reported; regions of equal ones are joined */
	uint64_t flags; /* PM_SCAN_.. */
};

int pagemap_open(struct page_tables *map, int proc);
void pagemap_close(struct page_tables *map);

/*
 * Regions of [*at, end) with pages that match, in rising order, at most room. Moves *at to where the next call goes on:
 * at end when all is done, which may take several calls even if there is room. Returns the count; -EOPNOTSUPP (not
 * reported) if the filter asks for what only the ioctl knows (WPALLOWED, WRITTEN, HUGE, any flag) and it is missing;
 * else -errno (reported).
 */
ssize_t pagemap_scan(const struct page_tables *map, uint64_t *at, uint64_t end, const struct pagemap_filter *filter,
		     struct page_region *regions, size_t capacity);

/* Words of /proc/PID/pagemap (Documentation: pagemap). The frame number is 0 without CAP_SYS_ADMIN. */
#define PAGEMAP_PRESENT	   (1ull << 63)
#define PAGEMAP_SWAPPED	   (1ull << 62)
#define PAGEMAP_FILE	   (1ull << 61) /* of a file, or shared anonymous */
#define PAGEMAP_GUARD	   (1ull << 58) /* 6.14 */
#define PAGEMAP_UFFD_WP	   (1ull << 57)
#define PAGEMAP_EXCLUSIVE  (1ull << 56)
#define PAGEMAP_SOFT_DIRTY (1ull << 55)
#define PAGEMAP_PFN	   ((1ull << 55) - 1)

/* The words of n pages from the address on; pages behind the end of the address space read as 0. */
int pagemap_read_words(const struct page_tables *map, uint64_t address, size_t n, uint64_t *words);
