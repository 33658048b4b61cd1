// SPDX-License-Identifier: GPL-2.0-only
/* A System V segment that is removed with its last user would be lost: the dump says so. */
#include "subject.h"

#include <sys/ipc.h>
#include <sys/shm.h>

SUBJECT(.refused = "System V shared memory [0-9]+ is removed when the last task leaves it")

int main(void)
{
	int id = must(shmget(IPC_PRIVATE, 8192, 0600));
	uint8_t *memory = shmat(id, NULL, 0);

	CHECK(memory != (void *)-1);
	must(shmctl(id, IPC_RMID, NULL));
	fill(memory, 8192, 1);
	checkpoint();
	check_filled(memory, 8192, 1);
	return 0;
}
