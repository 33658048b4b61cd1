// SPDX-License-Identifier: GPL-2.0-only
/* Transparent huge pages: content, also where parts of them are zero or were given back, and huge again. */
#include "subject.h"

SUBJECT()

#define PAGE (unsigned)getpagesize()
#define HUGE (2ul << 20)
#define N    8

static unsigned long huge_kb(const uint8_t *area)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	char line[4096];
	bool inside = false;
	unsigned long start, kb, found = 0;

	CHECK(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-", &start) == 1 && strchr(line, '-') < line + 17)
			inside = start == (uintptr_t)area;
		else if (inside && sscanf(line, "AnonHugePages: %lu", &kb) == 1)
			found = kb;
	}
	fclose(smaps);
	return found;
}

int main(void)
{
	uint8_t *map = must(mmap(NULL, (N + 2) * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	uint8_t *area = (uint8_t *)(((uintptr_t)map + HUGE - 1) / HUGE * HUGE);
	unsigned long before;

	must(mprotect(area, N * HUGE, PROT_READ | PROT_WRITE));
	if (madvise(area, N * HUGE, MADV_HUGEPAGE) < 0)
		skip("this kernel has no transparent huge pages");
	for (unsigned i = 0; i < N; i++)
		fill(area + i * HUGE, i == 3 ? PAGE : HUGE, i); /* of the fourth, most is zero */
	must(madvise(area + 5 * HUGE + PAGE, PAGE, MADV_DONTNEED));
	before = huge_kb(area);

	checkpoint();

	CHECK_EQUAL(huge_kb(area) >= (before ? (N - 1) * 2048 : 0), 1);
	for (unsigned i = 0; i < N; i++) {
		if (i == 5) {
			check_filled(area + i * HUGE, PAGE, i);
			check_zero(area + i * HUGE + PAGE, PAGE);
		} else {
			check_filled(area + i * HUGE, i == 3 ? PAGE : HUGE, i);
		}
	}
	check_zero(area + 3 * HUGE + PAGE, HUGE - PAGE);
	return 0;
}
