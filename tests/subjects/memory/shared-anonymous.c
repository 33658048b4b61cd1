// SPDX-License-Identifier: GPL-2.0-only
/* Shared anonymous memory: content, also beyond what one task maps, and still shared with a child afterwards. */
#include "subject.h"

SUBJECT()

#define SIZE (64 * 4096)

static uint8_t *memory;

static int work(void *arg)
{
	wait_for_restore();
	check_filled(memory, SIZE / 2, 1);
	/* The parent waits for this word. */
	__atomic_store_n((uint32_t *)(memory + SIZE - 4096), 0x1234, __ATOMIC_RELEASE);
	return 5;
}

int main(void)
{
	memory = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	fill(memory, SIZE / 2, 1);

	uint8_t *alone = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	fill(alone, SIZE, 2);
	/* The first half is no longer mapped by anybody, the second must keep its offset. */
	must(munmap(alone, SIZE / 2));

	pid_t child = start_child(work, NULL);

	/* Written after the fork by the parent, seen by the child. */
	fill(memory, SIZE / 2, 1);
	checkpoint_with(1);

	join_child(child, 5);
	check_filled(memory, SIZE / 2, 1);
	check_zero(memory + SIZE / 2, SIZE / 2 - 4096);
	CHECK_EQUAL(__atomic_load_n((uint32_t *)(memory + SIZE - 4096), __ATOMIC_ACQUIRE), 0x1234);

	/* Bytes of `alone` depend on those before them: compare with a fresh sequence. */
	uint8_t *fresh = malloc(SIZE);
	fill(fresh, SIZE, 2);
	CHECK(!memcmp(alone + SIZE / 2, fresh + SIZE / 2, SIZE / 2));
	return 0;
}
