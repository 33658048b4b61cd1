// SPDX-License-Identifier: GPL-2.0-only
/* Pages that children share copy-on-write with each other, though their parent has others by now: still one page each.
 */
#include "subject.h"

SUBJECT(.dump_options = "--equal-pages", .not_ways = "lazy on_demand remote streamed")

#define CHILDREN 3
#define PAGES	 900
#define FILED	 40 /* in a private mapping of a file */
#define HEAPED	 50 /* of the heap, which grows in one child and is cut off in another */
#define ALL	 (PAGES + FILED + HEAPED)
#define PAGE	 getpagesize()

#define PRESENT (1ull << 63)
#define FRAME	((1ull << 55) - 1)

static uint8_t *area, *filed, *heap;

static uint8_t *page_at(unsigned page)
{
	if (page < PAGES)
		return area + page * PAGE;
	return page < PAGES + FILED ? filed + (page - PAGES) * PAGE : heap + (page - PAGES - FILED) * PAGE;
}

/* 0 where there is no page, or without the privilege to see the number. */
static uint64_t frame_of(unsigned page)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t word;

	CHECK(fd >= 0);
	CHECK_EQUAL(pread(fd, &word, 8, (off_t)((uintptr_t)page_at(page) / PAGE * 8)), 8);
	close(fd);
	return word & PRESENT ? word & FRAME : 0;
}

/* What the parent changes when it has its children, gives back, and what each child changes itself. */
static bool is_parents(unsigned page)
{
	return page < 300 || (page >= PAGES && page < PAGES + FILED / 2);
}

static bool is_gone(unsigned page)
{
	return page >= 300 && page < 400;
}

static bool is_own(unsigned page)
{
	return page >= 400 && page < 500;
}

/* Behind the pages that are looked at. */
static void change_heap(unsigned child)
{
	if (child == 1) {
		CHECK_EQUAL(sbrk(20 * PAGE), heap + (HEAPED + 10) * PAGE);
		fill(heap + (HEAPED + 10) * PAGE, 20 * PAGE, 1000);
	} else if (child == 2) {
		CHECK(sbrk(-10 * PAGE) != (void *)-1);
	}
}

static void check_heap(unsigned child)
{
	if (child == 1)
		check_filled(heap + (HEAPED + 10) * PAGE, 20 * PAGE, 1000);
	CHECK_EQUAL(sbrk(0), heap + (HEAPED + (child == 1 ? 30 : child == 2 ? 0 : 10)) * PAGE);
}

static const char *name_of(unsigned child)
{
	static char name[32];

	snprintf(name, sizeof(name), "frames.%u", child);
	return name;
}

static void tell_frames(unsigned child)
{
	uint64_t frames[ALL];
	int fd;

	for (unsigned page = 0; page < ALL; page++)
		frames[page] = frame_of(page);
	fd = open("new", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CHECK_EQUAL(write(fd, frames, sizeof(frames)), sizeof(frames));
	close(fd);
	CHECK_EQUAL(rename("new", name_of(child)), 0);
	while (access("compared", F_OK) != 0)
		sleep_ms(2);
}

static int be_child(void *arg)
{
	const unsigned child = (unsigned)(uintptr_t)arg;

	for (unsigned page = 0; page < ALL; page++)
		if (is_own(page))
			fill(page_at(page), PAGE, 5000 + 1000 * child + page);
	change_heap(child);
	wait_for_restore();
	while (child && access(name_of(child - 1), F_OK) != 0) /* one after the other */
		sleep_ms(2);
	tell_frames(child);
	for (unsigned page = 0; page < ALL; page++)
		check_filled(page_at(page), PAGE, is_own(page) ? 5000 + 1000 * child + page : page);
	check_heap(child);
	fill(area, PAGE, child); /* what was shared is still its own */
	check_filled(area, PAGE, child);
	return 0;
}

static void check_own(void)
{
	for (unsigned page = 0; page < ALL; page++)
		if (is_gone(page))
			check_zero(page_at(page), PAGE);
		else
			check_filled(page_at(page), PAGE, is_parents(page) ? 3000 + page : page);
}

static void compare_frames(const uint64_t *mine)
{
	uint64_t frames[CHILDREN][ALL];

	for (unsigned child = 0; child < CHILDREN; child++) {
		int fd;

		while ((fd = open(name_of(child), O_RDONLY)) < 0)
			sleep_ms(2);
		CHECK_EQUAL(read(fd, frames[child], sizeof(frames[child])), sizeof(frames[child]));
		close(fd);
	}
	for (unsigned page = 0; page < ALL; page++) {
		CHECK_EQUAL(!mine[page], is_gone(page));
		CHECK(frames[0][page]);
		for (unsigned child = 1; child < CHILDREN; child++)
			CHECK_EQUAL(frames[child][page] == frames[0][page], !is_own(page));
		CHECK_EQUAL(frames[0][page] == mine[page], !is_own(page) && !is_parents(page) && !is_gone(page));
	}
}

int main(void)
{
	uint64_t mine[ALL];
	pid_t children[CHILDREN];
	int fd = must(open("data", O_RDWR | O_CREAT, 0600));

	must(ftruncate(fd, FILED * PAGE));
	area = must(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	filed = must(mmap(NULL, FILED * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	close(fd);
	madvise(area, PAGES * PAGE, MADV_NOHUGEPAGE);
	heap = must(sbrk(0));
	must((long)sbrk((intptr_t)(-(uintptr_t)heap & (PAGE - 1)) + (HEAPED + 10) * PAGE));
	heap += -(uintptr_t)heap & (PAGE - 1);
	for (unsigned page = 0; page < ALL; page++)
		fill(page_at(page), PAGE, page);
	if (!frame_of(0))
		skip("frame numbers cannot be seen");
	for (unsigned child = 0; child < CHILDREN; child++)
		children[child] = start_child(be_child, (void *)(uintptr_t)child);
	for (unsigned page = 0; page < ALL; page++)
		if (is_parents(page))
			fill(page_at(page), PAGE, 3000 + page);
	must(madvise(area + 300 * PAGE, 100 * PAGE, MADV_DONTNEED));

	checkpoint_with(CHILDREN);

	for (unsigned page = 0; page < ALL; page++)
		mine[page] = frame_of(page);
	compare_frames(mine);
	close(must(open("compared", O_CREAT | O_WRONLY, 0600)));
	check_own();
	for (unsigned child = 0; child < CHILDREN; child++)
		join_child(children[child], 0);
	return 0;
}
