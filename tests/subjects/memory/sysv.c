// SPDX-License-Identifier: GPL-2.0-only
/* System V shared memory is attached again at its place, writable and read-only, and shared with a child. */
#include "subject.h"

#include <sys/ipc.h>
#include <sys/shm.h>

SUBJECT()

#define SIZE 20000

static int child(void *arg)
{
	uint8_t *memory = arg;

	wait_for_restore();
	check_filled(memory, SIZE - 1, 1);
	memory[SIZE - 1] = 77;
	return 0;
}

int main(void)
{
	int id = must(shmget(IPC_PRIVATE, SIZE, 0600));
	uint8_t *memory = shmat(id, NULL, 0), *readonly = shmat(id, NULL, SHM_RDONLY);
	pid_t pid;

	CHECK(memory != (void *)-1 && readonly != (void *)-1);
	fill(memory, SIZE, 1);
	pid = start_child(child, memory);
	checkpoint_with(1);

	/* What follows must not leave the segment behind, whether it holds or not. */
	must(shmctl(id, IPC_RMID, NULL));
	join_child(pid, 0);
	CHECK_EQUAL(memory[SIZE - 1], 77);
	check_filled(readonly, SIZE - 1, 1);
	must(shmdt(readonly));
	must(shmdt(memory));
	return 0;
}
