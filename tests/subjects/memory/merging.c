// SPDX-License-Identifier: GPL-2.0-only
/* Parts of mappings without access, or without some of it, become one with the rest again when they get it back: then
 * mremap(2) takes all of it. Also of a child whose parent has the same mappings, with other parts. */
#include <stdio.h>

#include "subject.h"

SUBJECT(.ways = "unharmed plain left twice")

#define PAGE  (unsigned)getpagesize()
#define PAGES 48u

static const int protections[] = { PROT_NONE, PROT_READ, PROT_WRITE, PROT_READ | PROT_EXEC };

struct area {
	uint8_t *memory;
	unsigned from; /* half of the pages, from this one on, are protected */
	unsigned fill; /* 0: all of it; 1: what is not protected; 2: what is before it */
};

static struct area areas[3 * ARRAY_SIZE(protections)];

static bool is_filled(const struct area *area, unsigned page)
{
	const bool is_protected = page >= area->from && page < area->from + PAGES / 2;

	return area->fill == 0 || (area->fill == 1 && !is_protected) || page < area->from;
}

static void set_up(unsigned seed, unsigned from)
{
	for (unsigned i = 0; i < ARRAY_SIZE(areas); i++) {
		struct area *area = &areas[i];

		must(mmap(area->memory, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			  -1, 0));
		area->from = from + i;
		area->fill = i / ARRAY_SIZE(protections);
		for (unsigned p = 0; p < PAGES; p++)
			if (is_filled(area, p))
				fill(area->memory + p * PAGE, PAGE, seed + i + p);
		must(mprotect(area->memory + area->from * PAGE, PAGES / 2 * PAGE,
			      protections[i % ARRAY_SIZE(protections)]));
	}
}

/* The kernel takes what is one mapping only. */
static void check(unsigned seed)
{
	for (unsigned i = 0; i < ARRAY_SIZE(areas); i++) {
		const struct area *area = &areas[i];

		must(mprotect(area->memory + area->from * PAGE, PAGES / 2 * PAGE, PROT_READ | PROT_WRITE));
		must(munmap(area->memory + (PAGES - 1) * PAGE, PAGE));
		CHECK(mremap(area->memory, (PAGES - 1) * PAGE, PAGES * PAGE, 0) == area->memory);
		for (unsigned p = 0; p < PAGES; p++)
			if (p < PAGES - 1 && is_filled(area, p))
				check_filled(area->memory + p * PAGE, PAGE, seed + i + p);
			else
				check_zero(area->memory + p * PAGE, PAGE);
	}
}

static int be_child(void *arg)
{
	set_up(100, *(unsigned *)arg);
	wait_for_restore();
	check(100);
	return 7;
}

int main(void)
{
	unsigned same = 3, other = 6;
	pid_t one, two;

	for (unsigned i = 0; i < ARRAY_SIZE(areas); i++)
		/* They stay apart from each other. */
		areas[i].memory =
			(uint8_t *)must(mmap(NULL, (PAGES + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) +
			PAGE;
	one = start_child(be_child, &same);
	two = start_child(be_child, &other);
	set_up(1, same);
	checkpoint_with(2);
	check(1);
	join_child(one, 7);
	join_child(two, 7);
	return 0;
}
