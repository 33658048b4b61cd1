// SPDX-License-Identifier: GPL-2.0-only
/* Processes that write to shared memory, as most do: dump --live can watch all of them. */
#include "shared-steps.h"

SUBJECT(.seconds = 60, .ways = "unharmed left live", .ignore = "areas preflight")

static struct world world;

static way *const ways[] = { write_some, write_some, write_many, read_in };

static int be_one(void *arg)
{
	world.me = (unsigned)(uintptr_t)arg;
	announce_waiter();
	run_steps(&world, ways, ARRAY_SIZE(ways), NULL, 0);
	return 0;
}

int main(void)
{
	make_world(&world);
	run_processes(be_one);
	return 0;
}
