/* SPDX-License-Identifier: GPL-2.0-only */
/* Page tables: PAGEMAP_SCAN and the words of pagemap must tell the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kern/proc/pagemap.h"
#include "kern/proc/proc.h"

#define N 64

static struct page_tables map;
static char *area;
static uint64_t page;

/* Pages of 4: untouched, written, read only (zero page), untouched. The whole area is without huge pages. */
static int setup(void **state)
{
	int proc = proc_open(getpid());

	if (proc < 0 || pagemap_open(&map, proc) < 0)
		return -1;
	close(proc);
	page = map.page_size;
	area = mmap(NULL, N * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return -1;
	madvise(area, N * page, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < N; i += 4) {
		area[(i + 1) * page] = 1;
		*(volatile char *)&area[(i + 2) * page];
	}
	return 0;
}

static int teardown(void **state)
{
	munmap(area, N * page);
	pagemap_close(&map);
	return 0;
}

static void check_scan(const struct page_tables *with, size_t room)
{
	const struct pagemap_filter filter = { .inverted = PAGE_IS_PFNZERO | PAGE_IS_FILE,
					       .all = PAGE_IS_PFNZERO | PAGE_IS_FILE,
					       .any = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
					       .ret = PAGE_IS_PRESENT | PAGE_IS_SWAPPED | PAGE_IS_FILE };
	uint64_t at = (uintptr_t)area, end = at + N * page;
	size_t found = 0;

	while (at < end) {
		struct page_region regions[N];
		ssize_t n = pagemap_scan(with, &at, end, &filter, regions, room);

		assert_true(n >= 0 && n <= (ssize_t)room);
		for (ssize_t i = 0; i < n; i++, found++) {
			assert_true(regions[i].start == (uintptr_t)area + (found * 4 + 1) * page);
			assert_true(regions[i].end == regions[i].start + page);
			assert_true(regions[i].categories == PAGE_IS_PRESENT);
		}
	}
	assert_true(at == end);
	assert_int_equal(found, N / 4);
}

static void test_ioctl(void **state)
{
	if (!map.has_scan)
		skip();
	check_scan(&map, N);
	check_scan(&map, 1);
	check_scan(&map, 3);
}

static void test_words(void **state)
{
	const struct pagemap_filter written = { .all = PAGE_IS_WRITTEN };
	struct page_tables words = map;
	struct page_region region;
	uint64_t at = 0, pfn[4];

	words.has_scan = false;
	assert_int_equal(pagemap_read_words(&map, (uintptr_t)area, 4, pfn), 0);
	assert_int_equal(pfn[0], 0);
	assert_true(pfn[1] & PAGEMAP_PRESENT && pfn[2] & PAGEMAP_PRESENT);
	if (!(pfn[2] & PAGEMAP_PFN))
		skip(); /* without CAP_SYS_ADMIN the zero page looks like any other */
	words.zero_pfn = pfn[2] & PAGEMAP_PFN;
	check_scan(&words, N);
	check_scan(&words, 1);
	check_scan(&words, 3);
	assert_int_equal(pagemap_scan(&words, &at, page, &written, &region, 1), -EOPNOTSUPP);
}

/* Neighbours of one kind are one region, whatever the size. */
static void test_joined(void **state)
{
	const struct pagemap_filter filter = { .all = PAGE_IS_PRESENT, .ret = PAGE_IS_PRESENT };
	struct page_tables words = map;
	size_t size = 1000 * page;
	char *big = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(big != MAP_FAILED);
	memset(big, 1, size);
	words.has_scan = false;
	for (int i = 0; i < 2; i++) {
		const struct page_tables *with = i ? &words : &map;
		uint64_t at = (uintptr_t)big, end = at + size;
		struct page_region region;

		assert_int_equal(pagemap_scan(with, &at, end, &filter, &region, 1), 1);
		assert_true(region.start == (uintptr_t)big && region.end == end);
	}
	munmap(big, size);
}

/* More regions than the kernel collects at once, in one call with room for all: none is returned twice. */
static void test_many(void **state)
{
	const struct pagemap_filter filter = { .all = PAGE_IS_PRESENT };
	enum { PAGES = 1300 };
	static struct page_region regions[2 * PAGES];
	uint8_t *many = mmap(NULL, 2 * PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t at = (uintptr_t)many, end = at + 2 * PAGES * page;
	size_t found = 0;

	assert_true(many != MAP_FAILED);
	madvise(many, 2 * PAGES * page, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < PAGES; i++)
		many[2 * i * page] = 1;
	while (at < end) {
		ssize_t n = pagemap_scan(&map, &at, end, &filter, regions, 2 * PAGES);

		assert_true(n >= 0);
		for (ssize_t i = 0; i < n; i++, found++)
			assert_true(regions[i].start == (uintptr_t)many + 2 * found * page);
	}
	assert_int_equal(found, PAGES);
	munmap(many, 2 * PAGES * page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ioctl),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_joined),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
