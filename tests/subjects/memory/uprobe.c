// SPDX-License-Identifier: GPL-2.0-only
/* A function in which somebody may set a uprobe is called before and after. */
#include "subject.h"

SUBJECT()

int probed(int x);

__attribute__((noinline)) int probed(int x)
{
	__asm__ volatile("" ::: "memory");
	return x * 3;
}

int main(void)
{
	CHECK_EQUAL(probed(5), 15);

	checkpoint();

	CHECK_EQUAL(probed(7), 21);
	CHECK_EQUAL(probed(9), 27);
	return 0;
}
