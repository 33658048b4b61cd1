/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dump --live: before anything stands still, memory moves into huge pages. For each page of 4 KiB a task stands still
 * for 120 ns: clone(2) copies its entry in the page tables, and smaps looks at it. A huge page is 512 of them, and one
 * entry. The kernel moves 2 MiB at a time while the task runs (MADV_COLLAPSE, Linux 6.1).
 */
#include "object/memory/live/huge.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "kern/pidfd.h"
#include "kern/proc/maps.h"
#include "kern/proc/pagemap.h"
#include "object/memory/track.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

#define HUGE_SIZE   (2ull << 20)
#define AT_ONCE	    (8 * HUGE_SIZE) /* by one call; nobody interrupts it */
#define WORTH_KB    (16ull << 10)   /* in small pages: 4 MiB more or less are half a millisecond */
#define REGIONS	    512
#define REFUSED_MAX 16 /* times, before anything was moved */
/* Times after each other. At up to 64 of them the kernel does not try to make room, as it has just failed to. */
#define FAILED_MAX 128

struct mover {
	int pidfd;
	struct page_tables tables;
	uint64_t moved; /* bytes */
	unsigned refused, failed;
	bool hopeless; /* of this task, or because there are no free huge pages */
};

bool memory_huge_is_allowed(void)
{
	char mode[64];

	return file_read_text(AT_FDCWD, "/sys/kernel/mm/transparent_hugepage/enabled", mode, sizeof(mode)) >= 0 &&
	       !strstr(mode, "[never]");
}

/* Pages that are shared copy-on-write would become copies, and use more memory. */
static uint64_t movable_kb(const struct mapping *m)
{
	const uint64_t never = VMF(NH) | VMF(MG) | VMF(LO) | VMF(WF) | VMF(DC);

	if (!memory_is_trackable(m) || m->vm_flags & never || m->shared_kb || m->end - m->start < HUGE_SIZE)
		return 0;
	return m->anonymous_kb > m->anon_huge_kb ? m->anonymous_kb - m->anon_huge_kb : 0;
}

static void move_pages(struct mover *mover, uint64_t start, uint64_t end)
{
	struct iovec range = { (void *)(uintptr_t)start, end - start };
	ssize_t moved = syscall(SYS_process_madvise, mover->pidfd, &range, 1, MADV_COLLAPSE, 0);

	if (moved == (ssize_t)range.iov_len) {
		mover->moved += range.iov_len;
		mover->failed = 0;
	} else if (moved < 0 && (errno == ENOMEM || errno == EBUSY)) {
		mover->hopeless = ++mover->failed == FAILED_MAX; /* no huge pages, or the limit of its cgroup */
	} else if (moved < 0) {
		/* No right, or it has forbidden it as a whole. Else some of it has just changed. */
		mover->hopeless = errno == EPERM || errno == ESRCH ||
				  (errno == EINVAL && !mover->moved && ++mover->refused == REFUSED_MAX);
	}
}

/* Only what is there already: the task does not get more memory. */
static int move_region(struct mover *mover, const struct page_region *region)
{
	uint64_t start = (region->start + HUGE_SIZE - 1) / HUGE_SIZE * HUGE_SIZE;
	uint64_t end = region->end / HUGE_SIZE * HUGE_SIZE;

	while (start < end && !mover->hopeless) {
		/* A call ends at the first page that it does not get. */
		const uint64_t step = mover->failed ? HUGE_SIZE : AT_ONCE;
		const uint64_t stop = end - start < step ? end : start + step;

		TRY(interrupt_check());
		move_pages(mover, start, stop);
		start = stop;
	}
	return 0;
}

static int move_mapping(struct mover *mover, const struct mapping *m)
{
	const uint64_t never = PAGE_IS_FILE | PAGE_IS_PFNZERO | PAGE_IS_HUGE;
	const struct pagemap_filter filter = { .inverted = never, .all = never | PAGE_IS_PRESENT };
	struct page_region regions[REGIONS];
	uint64_t at = m->start;

	while (at < m->end && !mover->hopeless) {
		ssize_t n = pagemap_scan(&mover->tables, &at, m->end, &filter, regions, REGIONS);

		mover->hopeless = n < 0;
		for (ssize_t i = 0; i < n; i++)
			TRY(move_region(mover, &regions[i]));
	}
	return 0;
}

int memory_move_to_huge(pid_t pid, int proc, const struct mappings *mappings, uint64_t *ret_moved)
{
	AUTO_CLOSE int pidfd = pidfd_of_process(pid);
	struct mover mover = { .pidfd = pidfd };
	uint64_t kb = 0;
	int result = 0;

	*ret_moved = 0;
	for (size_t i = 0; i < mappings->n; i++)
		kb += movable_kb(&mappings->items[i]);
	if (pidfd < 0 || kb < WORTH_KB || pagemap_open(&mover.tables, proc) < 0)
		return 0;
	for (size_t i = 0; mover.tables.has_scan && i < mappings->n && !result && !mover.hopeless; i++)
		if (movable_kb(&mappings->items[i]))
			result = move_mapping(&mover, &mappings->items[i]);
	pagemap_close(&mover.tables);
	log_info("Task %d: of %" PRIu64 " MiB in small pages %" PRIu64 " MiB were moved into huge ones", pid, kb >> 10,
		 mover.moved >> 20);
	*ret_moved = mover.moved;
	return result;
}
