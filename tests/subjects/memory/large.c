// SPDX-License-Identifier: GPL-2.0-only
/* Enough memory for all ways of moving it: dense, every second page, read-only, without access, shared, all zero. */
#include "subject.h"

SUBJECT(.seconds = 30)

#define SIZE (48ul << 20)

/* Huge pages, where they are always made, would fill what is left out. */
static uint8_t *map(int flags)
{
	uint8_t *area = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0));

	madvise(area, SIZE, MADV_NOHUGEPAGE);
	return area;
}

static void write_every(uint8_t *area, size_t step, unsigned seed)
{
	for (size_t at = 0; at < SIZE; at += step)
		for (size_t i = 0; i < 4096; i += 512)
			*(uint64_t *)(area + at + i) = at + i + seed;
}

static void check_every(const uint8_t *area, size_t step, unsigned seed)
{
	for (size_t at = 0; at < SIZE; at += 4096)
		for (size_t i = 0; i < 4096; i += 512)
			CHECK_EQUAL(*(const uint64_t *)(area + at + i), at % step ? 0 : at + i + seed);
}

int main(void)
{
	uint8_t *dense = map(MAP_PRIVATE), *sparse = map(MAP_PRIVATE), *readonly = map(MAP_PRIVATE),
		*hidden = map(MAP_PRIVATE);
	uint8_t *shared = map(MAP_SHARED), *zero = map(MAP_PRIVATE);

	write_every(dense, 4096, 1);
	write_every(sparse, 8192, 2);
	write_every(readonly, 4096, 3);
	write_every(hidden, 4096 * 3, 4);
	write_every(shared, 8192, 5);
	memset(zero, 0, SIZE);
	must(mprotect(readonly, SIZE, PROT_READ));
	must(mprotect(hidden, SIZE, PROT_NONE));

	checkpoint();

	check_every(dense, 4096, 1);
	check_every(sparse, 8192, 2);
	check_every(readonly, 4096, 3);
	must(mprotect(hidden, SIZE, PROT_READ));
	check_every(hidden, 4096 * 3, 4);
	check_every(shared, 8192, 5);
	check_zero(zero, SIZE);
	return 0;
}
