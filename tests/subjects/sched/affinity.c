// SPDX-License-Identifier: GPL-2.0-only
/* Each thread may run on the CPUs that were chosen for it, and has its I/O priority; one without a choice has none. */
#include <pthread.h>
#include <sched.h>

#include "subject.h"

SUBJECT()

#define IO_CLASS(class, level) ((class) << 13 | (level))

static int first_cpu(const cpu_set_t *set)
{
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, set))
			return cpu;
	return -1;
}

static int io_priority(void)
{
	return (int)syscall(__NR_ioprio_get, 1, 0);
}

static void *pinned(void *arg)
{
	const cpu_set_t *one = arg;
	cpu_set_t now;

	must(sched_setaffinity(0, sizeof(*one), one));
	must(syscall(__NR_ioprio_set, 1, 0, IO_CLASS(2, 6)));
	wait_for_restore();
	CHECK(sched_getaffinity(0, sizeof(now), &now) == 0 && CPU_EQUAL(one, &now));
	CHECK_EQUAL(io_priority(), IO_CLASS(2, 6));
	return NULL;
}

int main(void)
{
	cpu_set_t all, one, now;
	pthread_t thread;
	pid_t child;
	int status;

	must(sched_getaffinity(0, sizeof(all), &all));
	if (CPU_COUNT(&all) < 2)
		skip("takes two CPUs");
	CPU_ZERO(&one);
	CPU_SET((unsigned)first_cpu(&all), &one);
	pthread_create(&thread, NULL, pinned, &one);
	child = must(fork());
	if (!child) {
		must(sched_setaffinity(0, sizeof(one), &one));
		must(syscall(__NR_ioprio_set, 1, 0, IO_CLASS(3, 0)));
		wait_for_restore();
		CHECK(sched_getaffinity(0, sizeof(now), &now) == 0 && CPU_EQUAL(&one, &now));
		CHECK_EQUAL(io_priority(), IO_CLASS(3, 0));
		return 0;
	}

	checkpoint_with(2);

	CHECK(sched_getaffinity(0, sizeof(now), &now) == 0 && CPU_EQUAL(&all, &now));
	CHECK_EQUAL(io_priority() >> 13, 0);
	pthread_join(thread, NULL);
	CHECK_EQUAL(waitpid(child, &status, 0), child);
	CHECK_EQUAL(status, 0);
	return 0;
}
