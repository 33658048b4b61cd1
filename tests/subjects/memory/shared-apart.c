// SPDX-License-Identifier: GPL-2.0-only
/* Shared anonymous memory of two children, at different addresses and with holes; their parent does not have it. */
#include "subject.h"

SUBJECT()

#define SIZE (4ul << 20)

static uint8_t *memory;

static int write_it(void *arg)
{
	/* Moved: it lies elsewhere than in the other child. */
	uint8_t *moved = must(mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	moved = must(mremap(memory, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, moved));
	wait_for_restore();
	for (size_t at = 0; at < SIZE; at += 3 * 4096)
		check_filled(moved + at, 4096, (unsigned)at);
	check_zero(moved + 4096, 8192);
	fill(moved + 4096, 100, 77);
	__atomic_store_n(moved + 8192, 1, __ATOMIC_RELEASE);
	return 0;
}

static int read_it(void *arg)
{
	wait_for_restore();
	while (!__atomic_load_n(memory + 8192, __ATOMIC_ACQUIRE))
		sleep_ms(1);
	check_filled(memory + 4096, 100, 77);
	for (size_t at = 0; at < SIZE; at += 3 * 4096)
		check_filled(memory + at, 4096, (unsigned)at);
	return 0;
}

int main(void)
{
	pid_t writer, reader;

	memory = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	for (size_t at = 0; at < SIZE; at += 3 * 4096)
		fill(memory + at, 4096, (unsigned)at);
	writer = start_child(write_it, NULL);
	reader = start_child(read_it, NULL);
	must(munmap(memory, SIZE));

	checkpoint_with(2);

	join_child(writer, 0);
	join_child(reader, 0);
	return 0;
}
