// SPDX-License-Identifier: GPL-2.0-only
/* The stack keeps what is on it and still grows on its own; so does another area that grows down. */
#include "subject.h"

SUBJECT()

static __attribute__((noinline)) unsigned descend(unsigned depth)
{
	volatile uint8_t frame[4096];

	frame[0] = (uint8_t)depth;
	frame[4095] = 1;
	return depth ? descend(depth - 1) + frame[4095] : (unsigned)frame[0];
}

int main(void)
{
	uint8_t local[20000];
	uint8_t *grows;

	fill(local, sizeof(local), 1);
	/* Room below for it to grow into: a gap that nobody else is given. */
	grows = must(mmap(NULL, 1024 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	must(munmap(grows, 1024 * 4096));
	grows = must(mmap(grows + 1000 * 4096, 16 * 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0));
	fill(grows, 16 * 4096, 2);
	CHECK_EQUAL(descend(20), 20);

	checkpoint();

	check_filled(local, sizeof(local), 1);
	check_filled(grows, 16 * 4096, 2);
	/* Both grow: 4 MiB of stack, eight pages of the other one. */
	CHECK_EQUAL(descend(1000), 1000);
	for (unsigned page = 1; page <= 8; page++)
		*(volatile uint8_t *)(grows - page * 4096) = 1;
	return 0;
}
