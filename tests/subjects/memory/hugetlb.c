// SPDX-License-Identifier: GPL-2.0-only
/* Pages of hugetlbfs: private, shared with a child, and of a memfd. */
#include "subject.h"

SUBJECT()

#define HUGE (2ul << 20)

static uint8_t *shared;

static int work(void *arg)
{
	wait_for_restore();
	check_filled(shared, 8192, 2);
	fill(shared + HUGE, 100, 9);
	return 0;
}

int main(void)
{
	int flags = MAP_ANONYMOUS | MAP_HUGETLB, fd;
	uint8_t *private = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | flags, -1, 0), *file;
	pid_t child;

	if (private == MAP_FAILED)
		skip("there are no free huge pages");
	shared = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | flags, -1, 0);
	fd = must(memfd_create("huge", MFD_HUGETLB));
	must(ftruncate(fd, HUGE));
	file = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED || file == MAP_FAILED)
		skip("there are too few free huge pages");
	fill(private, HUGE, 1);
	fill(shared, 8192, 2);
	fill(file, HUGE, 3);
	child = start_child(work, NULL);

	checkpoint_with(1);

	join_child(child, 0);
	check_filled(private, HUGE, 1);
	check_zero(private + HUGE, HUGE);
	check_filled(shared, 8192, 2);
	check_filled(shared + HUGE, 100, 9);
	check_filled(file, HUGE, 3);
	return 0;
}
