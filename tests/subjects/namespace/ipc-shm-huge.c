// SPDX-License-Identifier: GPL-2.0-only
/* System V shared memory of huge pages in a namespace: whole, in part, and attached by nobody. */
#include <sched.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#include "subject.h"

SUBJECT()

#define HUGE (2ul << 20)

static size_t page_size_at(const void *at)
{
	char line[300], want[40];
	unsigned long size = 0;
	FILE *file = fopen("/proc/self/smaps", "re");
	bool here = false;

	CHECK(file);
	snprintf(want, sizeof(want), "%lx-", (unsigned long)at);
	while (!size && fgets(line, sizeof(line), file)) {
		here |= strstr(line, want) == line;
		if (here)
			sscanf(line, "KernelPageSize: %lu kB", &size);
	}
	fclose(file);
	return size << 10;
}

int main(void)
{
	int id, lonely;
	uint8_t *memory, *part;

	must(unshare(CLONE_NEWIPC));
	id = shmget(0x4711, 2 * HUGE - 5000, IPC_CREAT | SHM_HUGETLB | 0600);
	if (id < 0)
		skip("there are no free huge pages");
	memory = shmat(id, NULL, 0);
	part = shmat(id, NULL, 0);
	lonely = shmget(0x77, HUGE, IPC_CREAT | SHM_HUGETLB | 0600);
	if (memory == (void *)-1 || part == (void *)-1 || lonely < 0)
		skip("there are too few free huge pages");
	fill(memory, 2 * HUGE, 1); /* also what lies behind the size that was asked for */
	must(munmap(part, HUGE));
	must(mprotect(part + HUGE, HUGE, PROT_READ));

	checkpoint();

	check_filled(memory, 2 * HUGE, 1);
	CHECK_EQUAL(page_size_at(memory), HUGE);
	CHECK_EQUAL(page_size_at(part + HUGE), HUGE);
	memory[HUGE] ^= 1;
	CHECK_EQUAL(part[HUGE], memory[HUGE]);
	CHECK_EQUAL(shmget(0x4711, 2 * HUGE - 5000, 0), id);
	CHECK_EQUAL(shmget(0x77, 1, 0), lonely);
	part = shmat(lonely, NULL, 0);
	CHECK_EQUAL(page_size_at(part), HUGE);
	check_zero(part, HUGE);
	CHECK_EQUAL(shmctl(id, IPC_RMID, NULL), 0);
	CHECK_EQUAL(shmctl(lonely, IPC_RMID, NULL), 0);
	return 0;
}
