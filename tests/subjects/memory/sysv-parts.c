// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attached System V shared memory of which parts are protected, unmapped, covered by others and moved: each part keeps
 * its protection and place, writable again where it may become so, and shmdt(2) takes the parts of one attachment away.
 */
#include <setjmp.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#include "subject.h"

SUBJECT()

#define PAGE (size_t) getpagesize()
#define N    8

static sigjmp_buf back;

static void on_fault(int number)
{
	siglongjmp(back, 1);
}

static bool can_write(volatile uint8_t *at)
{
	if (sigsetjmp(back, 1))
		return false;
	*at = *at;
	return true;
}

static bool can_read(volatile uint8_t *at)
{
	uint8_t seen;

	if (sigsetjmp(back, 1))
		return false;
	seen = *at;
	(void)seen;
	return true;
}

static uint8_t *attach(int id, int flags)
{
	uint8_t *memory = shmat(id, NULL, flags);

	CHECK(memory != (void *)-1);
	return memory;
}

int main(void)
{
	int id = must(shmget(IPC_PRIVATE, N * PAGE - 100, 0600));
	uint8_t *parts = attach(id, 0), *whole = attach(id, 0), *reader = attach(id, SHM_RDONLY), *moved, *hole;
	struct shmid_ds ds;

	signal(SIGSEGV, on_fault);
	moved = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fill(whole, N * PAGE - 100, 1);
	must(mprotect(parts, PAGE, PROT_READ));
	must(mprotect(parts + 2 * PAGE, PAGE, PROT_NONE));
	must(munmap(parts + 4 * PAGE, 2 * PAGE));
	hole = mmap(parts + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(hole == parts + 4 * PAGE);
	fill(hole, PAGE, 2);
	CHECK(mremap(parts + 7 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, moved) == moved);
	must(mprotect(whole, N * PAGE, PROT_READ)); /* all of it, but it may be made writable again */
	must(munmap(reader, PAGE));		    /* the beginning */

	checkpoint();

	/* Nothing is left behind, whether it holds or not. */
	must(shmctl(id, IPC_STAT, &ds));
	must(shmctl(id, IPC_RMID, NULL));
	check_filled(whole, N * PAGE - 100, 1);
	check_filled(hole, PAGE, 2);
	CHECK(can_read(parts) && !can_write(parts));
	CHECK(can_write(parts + PAGE));
	CHECK(!can_read(parts + 2 * PAGE));
	CHECK(can_write(parts + 3 * PAGE));
	CHECK(!can_read(parts + 5 * PAGE));
	CHECK(!can_read(parts + 7 * PAGE));
	CHECK(can_write(moved));
	CHECK(!can_write(whole) && !can_write(reader + PAGE));
	CHECK_EQUAL(mprotect(whole, N * PAGE, PROT_READ | PROT_WRITE), 0);
	CHECK(mprotect(reader + PAGE, PAGE, PROT_READ | PROT_WRITE) < 0 && errno == EACCES);
	parts[PAGE] = 77;
	CHECK_EQUAL(whole[PAGE], 77);
	CHECK_EQUAL(reader[PAGE], 77);
	moved[0] = 78;
	CHECK_EQUAL(whole[7 * PAGE], 78);
	CHECK_EQUAL(mprotect(parts + 2 * PAGE, PAGE, PROT_READ), 0);
	CHECK_EQUAL(parts[2 * PAGE], whole[2 * PAGE]);
	CHECK_EQUAL(shmdt(parts), 0);
	for (int i = 0; i < N; i++)
		CHECK_EQUAL(can_read(parts + i * PAGE), i == 4);
	check_filled(hole, PAGE, 2);
	CHECK(can_read(moved));
	CHECK_EQUAL(shmdt(whole), 0);
	CHECK_EQUAL(shmdt(reader), 0);
	CHECK(!can_read(reader + PAGE));
	CHECK_EQUAL(shmdt(moved - 7 * PAGE), 0);
	CHECK(shmctl(id, IPC_STAT, &ds) < 0 && errno == EINVAL);
	return 0;
}
