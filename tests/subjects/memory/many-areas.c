// SPDX-License-Identifier: GPL-2.0-only
/* 20 000 areas, each with a page of content. */
#include "subject.h"

SUBJECT(.seconds = 30)

#define AREAS 20000

int main(void)
{
	const size_t step = 2 * (size_t)getpagesize();
	uint8_t *area = must(
		mmap(NULL, AREAS * step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));

	for (unsigned i = 0; i < AREAS; i++) {
		*(unsigned *)(area + i * step) = i;
		/* Neighbours that differ do not join. */
		if (i % 2)
			must(mprotect(area + i * step, step, PROT_READ));
	}

	checkpoint();

	for (unsigned i = 0; i < AREAS; i++) {
		CHECK_EQUAL(*(unsigned *)(area + i * step), i);
		CHECK_EQUAL(*(unsigned *)(area + i * step + step / 2), 0);
	}
	return 0;
}
