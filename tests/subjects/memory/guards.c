// SPDX-License-Identifier: GPL-2.0-only
/* Guard pages (MADV_GUARD_INSTALL) between pages with content still guard. */
#include "subject.h"

#include <setjmp.h>

SUBJECT()

#ifndef MADV_GUARD_INSTALL
#define PAGE		   (unsigned)getpagesize()
#define MADV_GUARD_INSTALL 102
#endif

#define SIZE (32 * PAGE)

static sigjmp_buf back;

static void jump(int signal)
{
	siglongjmp(back, 1);
}

static bool is_guarded(volatile uint8_t *page)
{
	if (sigsetjmp(back, 1))
		return true;
	(void)*page;
	return false;
}

int main(void)
{
	uint8_t *area = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	fill(area, SIZE, 1);
	if (madvise(area + 4 * PAGE, 2 * PAGE, MADV_GUARD_INSTALL) < 0)
		skip("this kernel has no guard pages");
	must(madvise(area + 10 * PAGE, PAGE, MADV_GUARD_INSTALL));
	must(madvise(area + 31 * PAGE, PAGE, MADV_GUARD_INSTALL));
	for (unsigned page = 0; page < 32; page++)
		if (page != 4 && page != 5 && page != 10 && page != 31)
			fill(area + page * PAGE, PAGE, page);
	signal(SIGSEGV, jump);
	CHECK(is_guarded(area + 4 * PAGE));

	checkpoint();

	for (unsigned page = 0; page < 32; page++) {
		bool guarded = page == 4 || page == 5 || page == 10 || page == 31;

		CHECK_EQUAL(is_guarded(area + page * PAGE), guarded);
		if (!guarded)
			check_filled(area + page * PAGE, PAGE, page);
	}
	return 0;
}
