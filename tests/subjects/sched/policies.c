// SPDX-License-Identifier: GPL-2.0-only
/* Scheduling policies with their parameters and nice values, each in a child of its own; RESET_ON_FORK. */
#include "subject.h"

#include <sched.h>
#include <sys/resource.h>

SUBJECT()

static const struct {
	int policy, priority, nice;
} kinds[] = {
	{ SCHED_OTHER, 0, 7 },
	{ SCHED_OTHER, 0, -5 },
	{ SCHED_BATCH, 0, 19 },
	{ SCHED_IDLE, 0, 3 },
	{ SCHED_FIFO, 17, 0 },
	{ SCHED_RR, 99, 4 },
	{ SCHED_FIFO | SCHED_RESET_ON_FORK, 1, 0 },
	{ SCHED_OTHER | SCHED_RESET_ON_FORK, 0, 1 },
};

#define N (ARRAY_SIZE(kinds))

static int child(void *arg)
{
	long i = (long)arg;
	struct sched_param param = { .sched_priority = kinds[i].priority };

	must(setpriority(PRIO_PROCESS, 0, kinds[i].nice));
	must(sched_setscheduler(0, kinds[i].policy, &param));
	wait_for_restore();
	CHECK_EQUAL(sched_getscheduler(0), kinds[i].policy);
	must(sched_getparam(0, &param));
	CHECK_EQUAL(param.sched_priority, kinds[i].priority);
	errno = 0;
	CHECK_EQUAL(getpriority(PRIO_PROCESS, 0), kinds[i].nice);
	return 0;
}

int main(void)
{
	pid_t pids[N];

	for (size_t i = 0; i < N; i++)
		pids[i] = start_child(child, (void *)i);

	checkpoint_with(N);

	CHECK_EQUAL(sched_getscheduler(0), SCHED_OTHER);
	for (size_t i = 0; i < N; i++)
		join_child(pids[i], 0);
	return 0;
}
