// SPDX-License-Identifier: GPL-2.0-only
/* Memory that a child does not inherit (MADV_WIPEONFORK, MADV_DONTFORK): the parent's is full, the child's wiped, or
 * gone. */
#include "subject.h"

SUBJECT()

#define SIZE (64 * 4096)

static uint8_t *wiped, *missing, *kept;

static int work(void *arg)
{
	unsigned char there;

	fill(wiped + 4096, 4096, 7);
	wait_for_restore();
	check_zero(wiped, 4096);
	check_filled(wiped + 4096, 4096, 7);
	check_zero(wiped + 8192, SIZE - 8192);
	CHECK(mincore(missing, 4096, &there) == -1 && errno == ENOMEM);
	check_filled(kept, SIZE, 3);
	return 0;
}

int main(void)
{
	pid_t child;

	wiped = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	missing = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	kept = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	fill(wiped, SIZE, 1);
	fill(missing, SIZE, 2);
	fill(kept, SIZE, 3);
	must(madvise(wiped, SIZE, MADV_WIPEONFORK));
	must(madvise(missing, SIZE, MADV_DONTFORK));
	child = start_child(work, NULL);

	checkpoint_with(1);

	join_child(child, 0);
	check_filled(wiped, SIZE, 1);
	check_filled(missing, SIZE, 2);
	check_filled(kept, SIZE, 3);

	/* And a fork after the restore does the same. */
	child = fork();
	if (child == 0) {
		check_zero(wiped, SIZE);
		check_filled(kept, SIZE, 3);
		_exit(6);
	}
	join_child(child, 6);
	return 0;
}
