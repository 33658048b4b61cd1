// SPDX-License-Identifier: GPL-2.0-only
/* Every madvise(2) that sticks to an area, mlock(2) and mlock2(2), as the flags in smaps show them. */
#include "subject.h"

SUBJECT()

#define SIZE	 (16 * 4096)
#define ON_FAULT -2

static const struct {
	int advice;
	const char *flag;
} advices[] = {
	{ MADV_DONTFORK, "dc" },   { MADV_DONTDUMP, "dd" },  { MADV_WIPEONFORK, "wf" },
	{ MADV_SEQUENTIAL, "sr" }, { MADV_RANDOM, "rr" },    { MADV_HUGEPAGE, "hg" },
	{ MADV_NOHUGEPAGE, "nh" }, { MADV_MERGEABLE, "mg" }, { -1, "lo" },
	{ ON_FAULT, "lf" },
};

#define N (ARRAY_SIZE(advices))

/* Is the flag in the VmFlags of the area at this address? */
static bool has_flag(const void *area, const char *flag)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	char line[4096], word[8];
	bool inside = false, found = false;
	unsigned long start;

	CHECK(smaps);
	snprintf(word, sizeof(word), " %s ", flag);
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-", &start) == 1 && strchr(line, '-') < line + 17)
			inside = start == (uintptr_t)area;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, word);
	}
	fclose(smaps);
	return found;
}

int main(void)
{
	uint8_t *areas[N];
	bool sticks[N];
	const size_t page = (size_t)getpagesize();

	for (unsigned i = 0; i < N; i++) {
		areas[i] = must(mmap(NULL, SIZE + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		must(munmap(areas[i] + SIZE, page)); /* keeps it from joining its neighbour */
		fill(areas[i], SIZE / 2, i);
		if (advices[i].advice < 0)
			must(mlock2(areas[i], SIZE, advices[i].advice == ON_FAULT ? MLOCK_ONFAULT : 0));
		else
			madvise(areas[i], SIZE, advices[i].advice); /* may be missing in this kernel */
		sticks[i] = has_flag(areas[i], advices[i].flag);
	}

	checkpoint();

	for (unsigned i = 0; i < N; i++) {
		CHECK_EQUAL(has_flag(areas[i], advices[i].flag), sticks[i]);
		check_filled(areas[i], SIZE / 2, i);
		if (advices[i].advice == ON_FAULT) {
			unsigned char there = 1;

			CHECK_EQUAL(mincore(areas[i] + SIZE - page, page, &there), 0);
			CHECK_EQUAL(there & 1, 0);
		}
		check_zero(areas[i] + SIZE / 2, SIZE / 2);
	}
	return 0;
}
