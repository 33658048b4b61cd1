/* SPDX-License-Identifier: LGPL-2.1-only */
/* Which pages a process writes to. */
#include "kern/track.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/auto.h"
#include "kern/syscalls.h"

/* The second comes with the first. */
#define FEATURES    (UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED)
#define INITIALIZED (1u << 31) /* shown among the features (fs/userfaultfd.c) */
#define REGIONS	    512

bool tracker_is_one(uint64_t flags, const char *api)
{
	const char *features = api && flags & TRACKER_MARK ? strchr(api, ':') : NULL;

	return features && (strtoull(features + 1, NULL, 16) & ~(unsigned long long)(FEATURES | INITIALIZED)) == 0;
}

int tracker_start(int fd, enum tracking how)
{
	struct uffdio_api api = { .api = UFFD_API, .features = how == TRACKING_PROTECTION ? UFFD_FEATURE_WP_ASYNC : 0 };

	return ioctl(fd, UFFDIO_API, &api) < 0 ? -errno : 0;
}

int tracker_start_telling(int fd)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE,
	};

	return ioctl(fd, UFFDIO_API, &api) < 0 ? -errno : 0;
}

int tracker_clear(int proc)
{
	AUTO_CLOSE int fd = openat(proc, "clear_refs", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, "4", 1) == 1 ? 0 : -errno;
}

int tracker_watch(int fd, uint64_t start, uint64_t end)
{
	struct uffdio_register area = { .range = { start, end - start }, .mode = UFFDIO_REGISTER_MODE_WP };

	return ioctl(fd, UFFDIO_REGISTER, &area) < 0 ? -errno : 0;
}

int tracker_leave(int fd, uint64_t start, uint64_t end)
{
	struct uffdio_range area = { start, end - start };

	return ioctl(fd, UFFDIO_UNREGISTER, &area) < 0 ? -errno : 0;
}

int tracker_mark(const struct page_tables *tables, uint64_t start, uint64_t end)
{
	/* A mark in an empty place would look like a swapped page. */
	const struct pagemap_filter written = {
		.all = PAGE_IS_WPALLOWED | PAGE_IS_WRITTEN,
		.any = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		.ret = PAGE_IS_WPALLOWED,
		.flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
	};
	struct page_region regions[REGIONS];

	while (start < end) {
		ssize_t n = pagemap_scan(tables, &start, end, &written, regions, REGIONS);

		if (n < 0)
			return (int)n;
	}
	return 0;
}

static ssize_t find_mark(const struct page_tables *tables, uint64_t start, uint64_t end)
{
	const struct pagemap_filter marked = {
		.inverted = PAGE_IS_WRITTEN,
		.all = PAGE_IS_WPALLOWED | PAGE_IS_WRITTEN,
		.any = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		.ret = PAGE_IS_WPALLOWED,
	};
	struct page_region region;
	ssize_t n = 0;

	while (start < end && n == 0)
		n = pagemap_scan(tables, &start, end, &marked, &region, 1);
	return n;
}

/*
 * Before Linux 6.13 mremap(2) takes marks of protection along to where nobody watches, and such a page can be written
 * to unseen: first away with all of them. There hardly ever are any, and to look takes a tenth of the time.
 */
int tracker_forget(int fd, const struct page_tables *tables, uint64_t start, uint64_t end)
{
	struct uffdio_writeprotect none = { .range = { start, end - start }, .mode = 0 };
	ssize_t marked = find_mark(tables, start, end);

	if (marked < 0)
		return (int)marked;
	return marked && ioctl(fd, UFFDIO_WRITEPROTECT, &none) < 0 ? -errno : 0;
}

int tracker_protect(int fd, const struct page_tables *tables, uint64_t start, uint64_t end)
{
	int error = tracker_forget(fd, tables, start, end);

	return error < 0 ? error : tracker_mark(tables, start, end);
}
