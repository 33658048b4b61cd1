/* SPDX-License-Identifier: GPL-2.0-only */
/* Page content on its way in: from pages images into a process that does not run yet, or into a shared memory object.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pages/mover.h"
#include "pages/reader.h"

/* How a range is to be placed: stored_range.how. */
enum page_how {
	PAGE_FRESH = 1 << 0, /* all of it reads as zero now: pages of zeros are left out */
	PAGE_COPY = 1 << 1,  /* lies in an area that is registered with the userfaultfd, and is fresh */
	/* Pages that are equal already are left alone: they are shared with the creator of the process. */
	PAGE_COMPARE = 1 << 2,
	/* Not writable for the process: goes through /proc/PID/mem, nothing else is tried. */
	PAGE_READ_ONLY = 1 << 3,
};

/* Where pages go. */
struct page_target {
	pid_t pid; /* process_vm_writev, or 0: a shared memory object */
	int mem;   /* /proc/PID/mem, open for reading and writing; or the object */
	int uffd;  /* userfaultfd of the process, or -1 */
};

struct pages_filled {
	uint64_t compared, equal; /* pages */
};

/*
 * Fills in all ranges; they are sorted. No two workers are ever busy in the same 2 MiB of the process, so that huge
 * pages are faulted in once. filled may be NULL.
 */
int pages_fill(struct page_mover *mover, const struct page_target *target, const struct stored_range *ranges, size_t n,
	       struct pages_filled *filled);
