// SPDX-License-Identifier: GPL-2.0-only
/* Private anonymous memory: written, read-only, never touched, sparse, and at a fixed odd place. */
#include "subject.h"

SUBJECT()

#define SIZE (3 << 20)

int main(void)
{
	uint8_t *written = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	uint8_t *readonly = must(mmap(NULL, 5 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	uint8_t *untouched = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	uint8_t *sparse =
		must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
	uint8_t *low = must(mmap((void *)0x10000000, 8192, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	uint8_t *heap = malloc(100000);

	fill(written, SIZE, 1);
	fill(readonly, 5 * 4096, 2);
	must(mprotect(readonly, 5 * 4096, PROT_READ));
	for (size_t at = 0; at < SIZE; at += 7 * 4096)
		fill(sparse + at, 4096, (unsigned)at);
	fill(low, 8192, 3);
	fill(heap, 100000, 4);

	checkpoint();

	check_filled(written, SIZE, 1);
	check_filled(readonly, 5 * 4096, 2);
	check_zero(untouched, SIZE);
	for (size_t at = 0; at < SIZE; at += 4096)
		if (at % (7 * 4096))
			check_zero(sparse + at, 4096);
		else
			check_filled(sparse + at, 4096, (unsigned)at);
	check_filled(low, 8192, 3);
	check_filled(heap, 100000, 4);

	/* The heap still works, and what was writable still is. */
	heap = realloc(heap, 3000000);
	check_filled(heap, 100000, 4);
	memset(untouched, 7, SIZE);
	memset(written, 7, SIZE);
	return 0;
}
