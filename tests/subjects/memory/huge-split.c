// SPDX-License-Identifier: GPL-2.0-only
/* Huge pages with pieces of other behaviour between them: no page is lost, also if memory follows later. */
#include "subject.h"

SUBJECT()

#define HUGE  (2ul << 20)
#define N     6
#define PIECE 65536ul

int main(void)
{
	uint8_t *map = must(mmap(NULL, (N + 1) * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	uint8_t *area = (uint8_t *)(((uintptr_t)map + HUGE - 1) / HUGE * HUGE), *locked = area + HUGE + HUGE / 2;
	uint8_t *wiped = area + 3 * HUGE + HUGE / 2, *hidden = area + 5 * HUGE;

	if (madvise(map, (N + 1) * HUGE, MADV_HUGEPAGE) < 0)
		skip("this kernel has no transparent huge pages");
	fill(area, N * HUGE, 1);
	must(mlock(locked, PIECE));
	must(madvise(wiped, PIECE, MADV_WIPEONFORK));
	must(mprotect(hidden, PIECE, PROT_NONE));

	checkpoint();

	must(mprotect(hidden, PIECE, PROT_READ));
	check_filled(area, N * HUGE, 1);
	return 0;
}
