/* SPDX-License-Identifier: LGPL-2.1-only */
/* Experiments with address spaces. */
#include "kern/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/prctl.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "arch_probe.h"
#include "base/auto.h"
#include "base/file.h"
#include "base/io.h"
#include "base/page.h"
#include "base/text.h"
#include "kern/syscalls.h"
#include "kern/track.h"

#define PAGE page_size()

static void *map_page(int flags)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* The area of /proc/self/maps that begins at start or, with start 0, is called name. */
static bool find_area(uint64_t start, const char *name, uint64_t *ret_start, uint64_t *ret_end)
{
	AUTO_FREE char *maps = NULL;
	char *cursor, *line;

	if (file_read_all(AT_FDCWD, "/proc/self/maps", &maps, NULL) < 0)
		return false;
	cursor = maps;
	while ((line = text_line(&cursor))) {
		unsigned long a, b;

		if (sscanf(line, "%lx-%lx", &a, &b) == 2 && (start ? a == start : text_ends(line, name))) {
			*ret_start = a;
			*ret_end = b;
			return true;
		}
	}
	return false;
}

int probe_map_files(void)
{
	char path[64];
	void *p = map_page(MAP_SHARED);
	AUTO_CLOSE int fd = -1;
	int result;

	if (!p)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)p, (unsigned long)p + PAGE);
	fd = open(path, O_RDWR | O_CLOEXEC);
	result = fd >= 0 ? 1 : probe_failed();
	munmap(p, PAGE);
	return result;
}

/* Of two pages one is written to after both were protected. */
static bool sees_writes(int uffd, const struct page_tables *tables, volatile char *pages)
{
	const uint64_t start = (uintptr_t)pages, end = start + 2 * PAGE;
	const struct pagemap_filter all = { .all = PAGE_IS_PRESENT, .ret = TRACKER_CATEGORIES };
	struct page_region regions[3];
	uint64_t at = start;

	if (tracker_start(uffd, TRACKING_PROTECTION) < 0 || tracker_watch(uffd, start, end) < 0 ||
	    tracker_protect(uffd, tables, start, end) < 0)
		return false;
	pages[PAGE] = 2;
	return pagemap_scan(tables, &at, end, &all, regions, 3) == 2 && regions[0].end == start + PAGE &&
	       tracker_says_unwritten(regions[0].categories) && !tracker_says_unwritten(regions[1].categories);
}

/* The same with soft-dirty bits. A kernel without them takes the order, and then calls nothing written. */
static bool sees_soft_dirty(int proc, const struct page_tables *tables, volatile char *pages)
{
	uint64_t words[2];

	pages[0] = pages[PAGE] = 1;
	if (tracker_clear(proc) < 0)
		return false;
	pages[PAGE] = 2;
	return pagemap_read_words(tables, (uintptr_t)pages, 2, words) == 0 && words[0] & PAGEMAP_PRESENT &&
	       !(words[0] & PAGEMAP_SOFT_DIRTY) && words[1] & PAGEMAP_SOFT_DIRTY;
}

static int try_tracker(void)
{
	AUTO_CLOSE int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct page_tables tables;

	if (proc < 0 || pages == MAP_FAILED)
		return -errno;
	if (uffd < 0 || pagemap_open(&tables, proc) < 0)
		return TRACKING_NONE;
	pages[0] = pages[PAGE] = 1;
	if (sees_soft_dirty(proc, &tables, pages))
		return TRACKING_SOFT_DIRTY;
	return tables.has_scan && sees_writes(uffd, &tables, pages) ? TRACKING_PROTECTION : TRACKING_NONE;
}

/* Which one: enum tracking. */

int probe_mem_dirty_track(void)
{
	return probe_in_child(try_tracker);
}

int probe_vmsplice(void)
{
	static const char text[64] = "unaligned";
	struct iovec part = { (char *)text + 3, 11 };
	int fds[2], result;
	char back[11];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	result = vmsplice(fds[1], &part, 1, 0) == 11 && io_read(fds[0], back, 11) == 11 && !memcmp(back, text + 3, 11);
	close(fds[0]);
	close(fds[1]);
	return result;
}

int probe_prctl_mm(void)
{
	unsigned size = 0;
	int *tid_address = NULL;

	return prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0) == 0 && size >= sizeof(struct prctl_mm_map) &&
	       prctl(PR_GET_TID_ADDRESS, &tid_address, 0, 0, 0) == 0;
}

/* Field number (from 1) of /proc/self/stat; text stands behind the last parenthesis, which is field 2. */
static uint64_t stat_field(const char *text, int number)
{
	for (int i = 2; i < number && text; i++)
		text = strchr(text + 1, ' ');
	return text ? strtoull(text, NULL, 10) : 0;
}

static int try_mm_map(void)
{
	char stat[1024], *fields;
	struct prctl_mm_map map;

	if (file_read_text(AT_FDCWD, "/proc/self/stat", stat, sizeof(stat)) < 0 || !(fields = strrchr(stat, ')')))
		return -EIO;
	map = (struct prctl_mm_map){
		.start_code = stat_field(fields, 26),
		.end_code = stat_field(fields, 27),
		.start_stack = stat_field(fields, 28),
		.start_data = stat_field(fields, 45),
		.end_data = stat_field(fields, 46),
		.start_brk = stat_field(fields, 47),
		.brk = (uint64_t)(uintptr_t)sbrk(0),
		.arg_start = stat_field(fields, 48),
		.arg_end = stat_field(fields, 49),
		.env_start = stat_field(fields, 50),
		.env_end = stat_field(fields, 51),
		.exe_fd = (uint32_t)-1,
	};
	return prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0) == 0;
}

int probe_prctl_mm_map(void)
{
	return probe_in_child(try_mm_map);
}

static int try_aio_remap(void)
{
	aio_context_t context = 0;
	uint64_t start, end;
	struct timespec now = { 0 };
	struct io_event event;
	void *moved;

	if (syscall(SYS_io_setup, 4, &context) < 0 || !find_area(context, NULL, &start, &end))
		return 0;
	moved = mmap(NULL, end - start, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (moved == MAP_FAILED)
		return -errno;
	if (mremap((void *)(uintptr_t)start, end - start, end - start, MREMAP_MAYMOVE | MREMAP_FIXED, moved) ==
	    MAP_FAILED)
		return 0;
	return syscall(SYS_io_getevents, (aio_context_t)(uintptr_t)moved, 0, 1, &event, &now) == 0;
}

int probe_aio_remap(void)
{
	return probe_in_child(try_aio_remap);
}

/* The child must not use the vDSO afterwards: it only writes its result. */
static int try_move_vdso(void)
{
	uint64_t start, end;
	void *moved;

	if (!find_area(0, "[vdso]", &start, &end))
		return 0;
	moved = mmap(NULL, end - start, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (moved == MAP_FAILED)
		return -errno;
	return mremap((void *)(uintptr_t)start, end - start, end - start, MREMAP_MAYMOVE | MREMAP_FIXED, moved) ==
	       moved;
}

int probe_move_vdso(void)
{
	return probe_in_child(try_move_vdso);
}

int probe_can_map_vdso(void)
{
	return probe_in_child(arch_can_map_vdso);
}

int probe_compat_cr(void)
{
	return probe_in_child(arch_can_map_compat_vdso);
}

static int has_uffd(uint64_t wanted)
{
	AUTO_CLOSE int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_api api = { .api = UFFD_API, .features = wanted };

	if (fd < 0)
		return probe_failed();
	return ioctl(fd, UFFDIO_API, &api) == 0 && (api.features & wanted) == wanted;
}

int probe_uffd(void)
{
	return has_uffd(0);
}

int probe_uffd_noncoop(void)
{
	return has_uffd(UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_UNMAP |
			UFFD_FEATURE_EVENT_REMOVE);
}

int probe_memfd_hugetlb(void)
{
	AUTO_CLOSE int fd = (int)syscall(SYS_memfd_create, "probe", MFD_CLOEXEC | MFD_HUGETLB);

	return fd >= 0 ? 1 : probe_failed();
}

/* struct pm_scan_arg of linux/fs.h, since 6.7; the headers of Debian 12 are older. */
struct scan_probe {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN_IOCTL   _IOWR('f', 16, struct scan_probe)
#define SCAN_PRESENT (1u << 3)
#define SCAN_GUARD   (1u << 8) /* since 6.15 */

static bool scan_finds(void *page, uint64_t category)
{
	AUTO_CLOSE int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	struct page_region region = { 0 };
	struct scan_probe scan = {
		.size = sizeof(scan),
		.start = (uintptr_t)page,
		.end = (uintptr_t)page + PAGE,
		.vec = (uintptr_t)&region,
		.vec_len = 1,
		.category_mask = category,
		.return_mask = category,
	};

	return fd >= 0 && ioctl(fd, SCAN_IOCTL, &scan) == 1 && region.start == (uintptr_t)page &&
	       region.categories == category;
}

int probe_pagemap_scan(void)
{
	char *page = map_page(MAP_PRIVATE);
	bool found;

	if (!page)
		return -errno;
	page[0] = 1;
	found = scan_finds(page, SCAN_PRESENT);
	munmap(page, PAGE);
	return found;
}

int probe_pagemap_scan_guard_pages(void)
{
	void *page = map_page(MAP_PRIVATE);
	bool found;

	if (!page)
		return -errno;
	found = madvise(page, PAGE, MADV_GUARD_INSTALL) == 0 && scan_finds(page, SCAN_GUARD);
	munmap(page, PAGE);
	return found;
}
