// SPDX-License-Identifier: GPL-2.0-only
/* Pages that change and change back have what was written last, whatever a pre-dump has caught of them. */
#include "subject.h"

SUBJECT(.seconds = 60)

#define PAGE  (unsigned)getpagesize()
#define PAGES 64u
#define WORDS (PAGE / sizeof(uint64_t))

static void paint(volatile uint64_t *page, uint64_t value)
{
	for (unsigned i = 0; i < WORDS; i++)
		page[i] = value;
}

static void check(const volatile uint64_t *page, uint64_t value)
{
	for (unsigned i = 0; i < WORDS; i++)
		CHECK_EQUAL(page[i], value);
}

static int be_child(void *arg)
{
	char *pages = must(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	uint64_t now[PAGES] = { 0 };
	bool announced = false;

	for (unsigned n = 0; !is_restored(); n++) {
		unsigned i = n * 37 % PAGES;
		uint64_t *page = (uint64_t *)(void *)(pages + i * PAGE);

		check(page, now[i]);
		now[i] = !now[i];
		paint(page, now[i]);
		if (n > 2 * PAGES && !announced) {
			announce_waiter();
			announced = true;
		}
	}
	for (unsigned i = 0; i < PAGES; i++)
		check((uint64_t *)(void *)(pages + i * PAGE), now[i]);
	return 7;
}

int main(void)
{
	pid_t child = start_child(be_child, NULL);

	checkpoint_with(1);
	join_child(child, 7);
	return 0;
}
