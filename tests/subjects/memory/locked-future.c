// SPDX-License-Identifier: GPL-2.0-only
/* What a process maps is locked in memory if it asked for that by mlockall(MCL_FUTURE), at once or when it is touched.
 */
#include "subject.h"

SUBJECT()

#define PAGE (unsigned)getpagesize()

/* 0: not locked, else flags of mlockall(2). */
static int locks_new(void)
{
	unsigned char there = 0;
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int flags = 0;

	CHECK(page != MAP_FAILED);
	CHECK_EQUAL(mincore(page, PAGE, &there), 0);
	if (madvise(page, PAGE, MADV_DONTNEED) < 0)
		flags = MCL_FUTURE | (there & 1 ? 0 : MCL_ONFAULT);
	CHECK_EQUAL(munmap(page, PAGE), 0);
	return flags;
}

static int be_child(void *arg)
{
	int flags = *(int *)arg;

	if (flags)
		must(mlockall(flags));
	wait_for_restore();
	CHECK_EQUAL(locks_new(), flags);
	return 7;
}

int main(void)
{
	static int all[] = { 0, MCL_FUTURE, MCL_FUTURE | MCL_ONFAULT };
	pid_t children[3];

	for (int i = 0; i < 3; i++)
		children[i] = start_child(be_child, &all[i]);
	checkpoint_with(3);
	CHECK_EQUAL(locks_new(), 0);
	for (int i = 0; i < 3; i++)
		join_child(children[i], 7);
	return 0;
}
