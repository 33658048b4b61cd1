// SPDX-License-Identifier: GPL-2.0-only
/* The descriptors of set_thread_area(2), of each thread, and segment registers that use them. */
#include "subject.h"

#include <asm/ldt.h>
#include <pthread.h>

SUBJECT()

static unsigned set_area(unsigned number, const uint32_t *base, unsigned limit)
{
	struct user_desc desc = {
		.entry_number = number, .base_addr = (unsigned)base, .limit = limit, .seg_32bit = 1, .useable = 1
	};

	must((int)syscall(SYS_set_thread_area, &desc));
	return desc.entry_number;
}

static void check_area(unsigned number, const uint32_t *base, unsigned limit)
{
	struct user_desc desc = { .entry_number = number };

	must((int)syscall(SYS_get_thread_area, &desc));
	CHECK_EQUAL(desc.base_addr, (unsigned)base);
	CHECK_EQUAL(desc.limit, limit);
	CHECK(desc.seg_32bit && desc.useable && !desc.seg_not_present && !desc.read_exec_only && !desc.limit_in_pages);
}

static void use_area(uint32_t word)
{
	uint32_t here[2] = { 0, word }, value;
	unsigned number = set_area(~0u, here, sizeof(here) - 1);
	uint16_t selector = (uint16_t)(number << 3 | 3), now;

	__asm__ volatile("mov %0, %%fs" : : "r"(selector));
	wait_for_restore();
	__asm__ volatile("mov %%fs, %0" : "=r"(now));
	CHECK_EQUAL(now, selector);
	__asm__ volatile("movl %%fs:4, %0" : "=r"(value));
	CHECK_EQUAL(value, word);
	check_area(number, here, sizeof(here) - 1);
}

static __thread int mine;

static void *other(void *arg)
{
	mine = 5;
	use_area(0xfedcba98);
	CHECK_EQUAL(mine, 5);
	return NULL;
}

int main(void)
{
	static uint32_t unused[4];
	pthread_t thread;
	unsigned number;

	mine = 4;
	number = set_area(~0u, unused, 15);
	CHECK_EQUAL(pthread_create(&thread, NULL, other, NULL), 0);

	checkpoint_with(1);

	CHECK_EQUAL(mine, 4);
	check_area(number, unused, 15);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	/* New threads can be made: they copy the area of the one that makes them. */
	CHECK_EQUAL(pthread_create(&thread, NULL, other, NULL), 0);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	return 0;
}
