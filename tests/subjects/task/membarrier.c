// SPDX-License-Identifier: GPL-2.0-only
/* Registrations for memory barriers: what was registered may be used, the rest not. */
#include "subject.h"

#include <linux/membarrier.h>
#include <pthread.h>

SUBJECT()

#define GET_REGISTRATIONS (1 << 9) /* Linux 6.3 */

static int membarrier(int command)
{
	return (int)syscall(SYS_membarrier, command, 0, 0);
}

static void *work(void *arg)
{
	wait_for_restore();
	return NULL;
}

int main(void)
{
	pthread_t thread;

	must(membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED));
	must(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED));
	CHECK_EQUAL(pthread_create(&thread, NULL, work, NULL), 0);

	checkpoint_with(1);

	CHECK_EQUAL(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED), 0);
	CHECK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE) == -1 && errno == EPERM);
	if (membarrier(MEMBARRIER_CMD_QUERY) & GET_REGISTRATIONS)
		CHECK_EQUAL(membarrier(GET_REGISTRATIONS),
			    MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	return 0;
}
