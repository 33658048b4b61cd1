// SPDX-License-Identifier: GPL-2.0-only
/* A child that gave back every second page of what it inherited, and some pages of huge ones; the parent still has
 * them. */
#include "subject.h"

SUBJECT(.not_ways = "lazy on_demand") /* there pages come when they are touched, to each task its own */

#define PAGE  (unsigned)getpagesize()
#define PAGES 6000
#define HUGE  (2ul << 20)

static uint8_t *area, *huge;

static bool is_present(const uint8_t *page)
{
	uint64_t word = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	CHECK(fd >= 0);
	CHECK_EQUAL(pread(fd, &word, 8, (off_t)((uintptr_t)page / PAGE * 8)), 8);
	close(fd);
	return word >> 63;
}

static int work(void *arg)
{
	for (unsigned page = 1; page < PAGES; page += 2)
		must(madvise(area + page * PAGE, PAGE, MADV_DONTNEED));
	must(madvise(huge + PAGE, 3 * PAGE, MADV_DONTNEED));
	fill(huge + HUGE, PAGE, 8);
	wait_for_restore();
	for (unsigned page = 0; page < PAGES; page++)
		CHECK_EQUAL(is_present(area + page * PAGE), page % 2 == 0);
	for (unsigned page = 0; page < PAGES; page++)
		CHECK_EQUAL(area[page * PAGE + 100], page % 2 ? 0 : (uint8_t)(page * 3 + 1));
	check_zero(huge + PAGE, 3 * PAGE);
	CHECK_EQUAL(huge[4 * PAGE], 9);
	check_filled(huge + HUGE, PAGE, 8);
	CHECK_EQUAL(huge[HUGE + PAGE], 9);
	return 0;
}

int main(void)
{
	uint8_t *map = must(mmap(NULL, 3 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	pid_t child;

	area = must(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	huge = (uint8_t *)(((uintptr_t)map + HUGE - 1) / HUGE * HUGE);
	madvise(map, 3 * HUGE, MADV_HUGEPAGE);
	madvise(area, PAGES * PAGE, MADV_NOHUGEPAGE);
	memset(huge, 9, 2 * HUGE);
	for (unsigned page = 0; page < PAGES; page++)
		memset(area + page * PAGE, (int)(page * 3 + 1), PAGE);
	child = start_child(work, NULL);

	checkpoint_with(1);

	join_child(child, 0);
	for (unsigned page = 0; page < PAGES; page++)
		CHECK_EQUAL(area[page * PAGE + 100], (uint8_t)(page * 3 + 1));
	for (size_t at = 0; at < 2 * HUGE; at++)
		CHECK_EQUAL(huge[at], 9);
	return 0;
}
