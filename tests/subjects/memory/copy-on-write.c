// SPDX-License-Identifier: GPL-2.0-only
/* Pages that parent, child and grandchild share copy-on-write: content, and still one page each (seen by their frame
 * numbers). */
#include "subject.h"

SUBJECT(.not_ways = "lazy on_demand") /* there pages come when they are touched, to each task its own */

#define PAGE  (unsigned)getpagesize()
#define PAGES 2000
#define SIZE  (PAGES * PAGE)

static uint8_t *area, *hidden;
static const char *frames_name[2] = { "child", "grandchild" };

#define PRESENT (1ull << 63)
#define FRAME	((1ull << 55) - 1)

/* Frame numbers of the area; 0 where there is no page. All zero without the privilege to see them. */
static void read_frames(const void *memory, uint64_t *frames)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);

	CHECK(fd >= 0);
	CHECK_EQUAL(pread(fd, frames, PAGES * 8, (off_t)((uintptr_t)memory / PAGE * 8)), PAGES * 8);
	close(fd);
	for (unsigned i = 0; i < PAGES; i++)
		frames[i] = frames[i] & PRESENT ? frames[i] & FRAME : 0;
}

/* Tells the parent the frames of both areas, by a file: after that it waits to be told that they were compared. */
static void tell_frames(unsigned who)
{
	uint64_t frames[2 * PAGES];
	char name[64];
	int fd;

	read_frames(area, frames);
	read_frames(hidden, frames + PAGES);
	snprintf(name, sizeof(name), "%s.tmp", frames_name[who]);
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CHECK_EQUAL(write(fd, frames, sizeof(frames)), sizeof(frames));
	close(fd);
	CHECK_EQUAL(rename(name, frames_name[who]), 0);
	while (access("compared", F_OK) != 0)
		sleep_ms(2);
}

/* Every 100th page is the child's own, pages 500 to 599 it gave back, page 1999 only it has. */
static void change(unsigned seed)
{
	for (unsigned page = 0; page < 400; page += 100)
		fill(area + page * PAGE, PAGE, seed + page);
	must(madvise(area + 500 * PAGE, 100 * PAGE, MADV_DONTNEED));
	fill(area + 1999 * PAGE, PAGE, seed);
}

static void check_changed(unsigned seed)
{
	for (unsigned page = 0; page < 1999; page++)
		if (page < 400 && page % 100 == 0)
			check_filled(area + page * PAGE, PAGE, seed + page);
		else if (page < 500 || page >= 600)
			check_filled(area + page * PAGE, PAGE, page);
	check_filled(area + 1999 * PAGE, PAGE, seed);
}

static int be_grandchild(void *arg)
{
	wait_for_restore();
	tell_frames(1);
	check_changed(10000);
	return 4;
}

static int be_child(void *arg)
{
	pid_t grandchild;

	change(10000);
	grandchild = start_child(be_grandchild, NULL);
	wait_for_restore();
	tell_frames(0);
	check_changed(10000);
	check_zero(area + 500 * PAGE, 100 * PAGE);
	join_child(grandchild, 4);
	return 3;
}

static void take_frames(unsigned who, uint64_t *frames)
{
	int fd;

	while ((fd = open(frames_name[who], O_RDONLY)) < 0)
		sleep_ms(2);
	CHECK_EQUAL(read(fd, frames, 2 * PAGES * 8), 2 * PAGES * 8);
	close(fd);
}

static void compare(const uint64_t *mine, const uint64_t *child, const uint64_t *grandchild)
{
	for (unsigned page = 0; page < PAGES; page++) {
		bool changed = page % 100 == 0 && page < 400;

		CHECK_EQUAL(child[page] == grandchild[page], 1);
		if (page >= 500 && page < 600)
			CHECK_EQUAL(child[page], 0);
		else
			CHECK(child[page]);
		CHECK_EQUAL(mine[page] == child[page], !changed && (page < 500 || page >= 600) && page != 1999);
		CHECK(page == 1999 ? !mine[page] : !!mine[page]);
	}
}

int main(void)
{
	uint64_t mine[2 * PAGES], child_frames[2 * PAGES], grandchild_frames[2 * PAGES];
	pid_t child;

	area = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	hidden = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	madvise(area, SIZE, MADV_NOHUGEPAGE);
	madvise(hidden, SIZE, MADV_NOHUGEPAGE);
	for (unsigned page = 0; page < PAGES - 1; page++)
		fill(area + page * PAGE, PAGE, page);
	for (unsigned page = 0; page < PAGES; page++)
		fill(hidden + page * PAGE, PAGE, page);
	must(mprotect(hidden, SIZE, PROT_NONE));
	read_frames(area, mine);
	if (!mine[0])
		skip("frame numbers cannot be seen");
	child = start_child(be_child, NULL);

	checkpoint_with(2);

	take_frames(0, child_frames);
	take_frames(1, grandchild_frames);
	read_frames(area, mine);
	read_frames(hidden, mine + PAGES);
	compare(mine, child_frames, grandchild_frames);
	for (unsigned page = PAGES; page < 2 * PAGES; page++) {
		CHECK(mine[page]);
		CHECK_EQUAL(mine[page], child_frames[page]);
		CHECK_EQUAL(mine[page], grandchild_frames[page]);
	}
	close(must(open("compared", O_WRONLY | O_CREAT, 0600)));
	for (unsigned page = 0; page < PAGES - 1; page++)
		check_filled(area + page * PAGE, PAGE, page);
	join_child(child, 3);
	return 0;
}
