/* SPDX-License-Identifier: LGPL-2.1-only */
/* The size of a page, which on some CPUs the kernel's configuration decides: 4, 16 or 64 KiB. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

static inline size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* No kernel has smaller pages: for the size of arrays. */
#define PAGE_SIZE_MIN 4096u

/* The end of the page in which so many bytes end. */
static inline uint64_t page_align(uint64_t size)
{
	return (size + page_size() - 1) / page_size() * page_size();
}

static inline int is_page_aligned(uint64_t address)
{
	return address % page_size() == 0;
}
