/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which pages a process writes to. There are two ways; both count pages as written that are new, that were moved, or
 * that were dropped and touched again.
 *
 * Soft-dirty bits, if the kernel was built with them (CONFIG_MEM_SOFT_DIRTY): /proc/PID/clear_refs takes them away from
 * all pages, a write sets one. The program notices nothing. Whoever else clears them spoils it, so a tracker marks who
 * did it last: a userfaultfd of the process that watches nothing.
 *
 * Else the tracker, a userfaultfd of that process, watches by asynchronous write protection (UFFD_FEATURE_WP_ASYNC,
 * Linux 6.7). The kernel notes the first write to a protected page and lets it happen. An area that is unmapped, moved
 * or inherited by fork is not watched any more.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kern/proc/pagemap.h"

enum tracking {
	TRACKING_NONE,
	TRACKING_SOFT_DIRTY,
	TRACKING_PROTECTION,
};

/* A tracker lives in the descriptor table of its process. No program sets this flag on a userfaultfd: by it we know
 * ours. */
#define TRACKER_MARK O_APPEND

/* By the flags and the value of "API" in fdinfo (NULL: no userfaultfd): is it a tracker? */
bool tracker_is_one(uint64_t flags, const char *api);

/* All return -errno and log nothing. fd is a copy of the new userfaultfd, made by the process itself. */
int tracker_start(int fd, enum tracking how);
/* By protection; and what is done to a watched area that a tracker does not see is told to whoever reads from it, and
 * waits until then: mremap(2), MADV_REMOVE, MADV_DONTNEED. */
int tracker_start_telling(int fd);
/* Soft-dirty: all pages of the process of this /proc/PID count as not written from now on. */
int tracker_clear(int proc);
/* Watches a whole area of private anonymous memory. -EBUSY: another userfaultfd does; 0 if this one does so already. */
int tracker_watch(int fd, uint64_t start, uint64_t end);
int tracker_leave(int fd, uint64_t start, uint64_t end);
/* The same for an area that this tracker has watched since it was last called for it: pages that have not been written
 * to are left alone. */
int tracker_mark(const struct page_tables *tables, uint64_t start, uint64_t end);
/* Whatever older trackers have left in an area that is watched now is forgotten: all pages count as written to. */
int tracker_forget(int fd, const struct page_tables *tables, uint64_t start, uint64_t end);
/* All pages that are there count as not written from now on. Whatever older trackers have left is forgotten. */
int tracker_protect(int fd, const struct page_tables *tables, uint64_t start, uint64_t end);

/* In what pagemap_scan() returns for a watched area: the page is the same as when it was protected. */
#define TRACKER_CATEGORIES (PAGE_IS_WPALLOWED | PAGE_IS_WRITTEN | PAGE_IS_PRESENT)
static inline bool tracker_says_unwritten(uint64_t categories)
{
	return (categories & TRACKER_CATEGORIES) == (PAGE_IS_WPALLOWED | PAGE_IS_PRESENT);
}

#define SOFT_DIRTY_CATEGORIES (PAGE_IS_SOFT_DIRTY | PAGE_IS_PRESENT)
static inline bool soft_dirty_says_unwritten(uint64_t categories)
{
	return (categories & SOFT_DIRTY_CATEGORIES) == PAGE_IS_PRESENT;
}
