// SPDX-License-Identifier: GPL-2.0-only
/* Registrations for private memory barriers, also where the kernel does not list them. */
#include "subject.h"

#include <linux/membarrier.h>

SUBJECT()

static int membarrier(int command)
{
	return (int)syscall(SYS_membarrier, command, 0, 0);
}

int main(void)
{
	must(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED));
	must(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ));

	checkpoint();

	CHECK_EQUAL(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED), 0);
	CHECK_EQUAL(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ), 0);
	CHECK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE) == -1 && errno == EPERM);
	return 0;
}
