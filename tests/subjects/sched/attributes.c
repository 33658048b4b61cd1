// SPDX-License-Identifier: GPL-2.0-only
/* Time slices and clamped utilisation of threads, sched_setattr(2), where the kernel has them. */
#include <pthread.h>

#include "subject.h"

SUBJECT()

struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

#define UTIL_CLAMP    0x60
#define RESET_ON_FORK 0x01

static struct attributes get(void)
{
	struct attributes its = { .size = sizeof(its) };

	must((int)syscall(SYS_sched_getattr, 0, &its, sizeof(its), 0));
	return its;
}

static void check_same(const struct attributes *before)
{
	struct attributes after = get();

	CHECK_EQUAL(after.policy, before->policy);
	CHECK_EQUAL(after.flags, before->flags);
	CHECK_EQUAL(after.nice, before->nice);
	CHECK_EQUAL(after.runtime, before->runtime);
	CHECK_EQUAL(after.util_min, before->util_min);
	CHECK_EQUAL(after.util_max, before->util_max);
}

static void *other(void *arg)
{
	const struct attributes *usual = arg;

	wait_for_restore();
	check_same(usual);
	return NULL;
}

int main(void)
{
	struct attributes wanted = { .size = sizeof(wanted), .nice = 3, .runtime = 7000000 }, usual = get(), before;
	pthread_t thread;

	pthread_create(&thread, NULL, other, &usual);
	wanted.flags = RESET_ON_FORK;
	must((int)syscall(SYS_sched_setattr, 0, &wanted, 0));
	wanted.flags |= UTIL_CLAMP;
	wanted.util_min = 100;
	wanted.util_max = 700;
	(void)syscall(SYS_sched_setattr, 0, &wanted, 0); /* CONFIG_UCLAMP_TASK */
	before = get();

	checkpoint_with(1);

	check_same(&before);
	pthread_join(thread, NULL);
	return 0;
}
