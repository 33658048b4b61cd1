/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * On which CPUs a thread may run, see sched_setaffinity(2). CRIU does not save it; ours is a field that it skips. New
 * tasks inherit the CPUs of criu, so it is set for all threads, from outside.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "object/task/host.h"
#include "object/task/part.h"

#define MASK_SIZE (CPUS_MAX / 8)
#define BITS_EACH (8 * sizeof(unsigned long))

static bool has_cpu(const struct cpus *cpus, unsigned cpu)
{
	return cpus->words[cpu / BITS_EACH] >> cpu % BITS_EACH & 1;
}

static int read_allowed(pid_t tid, struct cpus *ret)
{
	memset(ret, 0, sizeof(*ret));
	return syscall(__NR_sched_getaffinity, tid, sizeof(*ret), ret) < 0
		       ? fail_errno("asking on which CPUs it may run (sched_getaffinity)")
		       : 0;
}

/* No bytes stand for all CPUs, however many there are. */
static int dump_affinity(const struct dump *d, struct thread *thread)
{
	ThreadCoreEntry *record = thread->core->thread_core;
	struct cpus allowed;
	size_t size = 0;

	TRY(read_allowed(thread->tid, &allowed));
	record->has_cpu_affinity = true;
	if (!memcmp(&allowed, &task_host_of_dump(d)->online, sizeof(allowed)))
		return 0;
	record->cpu_affinity.data = pool_array(d->pool, uint8_t, MASK_SIZE);
	for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++)
		if (has_cpu(&allowed, cpu)) {
			record->cpu_affinity.data[cpu / 8] |= (uint8_t)(1 << cpu % 8);
			size = cpu / 8 + 1;
		}
	record->cpu_affinity.len = size;
	return 0;
}

static void read_record(const ThreadCoreEntry *record, struct cpus *ret)
{
	memset(ret, record->cpu_affinity.len ? 0 : 0xff, sizeof(*ret));
	for (unsigned cpu = 0; cpu < record->cpu_affinity.len * 8; cpu++)
		if (record->cpu_affinity.data[cpu / 8] >> cpu % 8 & 1)
			cpus_add(ret, cpu);
}

static int check_affinity(const struct restore *r, struct thread *thread)
{
	const ThreadCoreEntry *record = thread->core->thread_core;
	bool any = !record->cpu_affinity.len;

	for (size_t i = 0; i < record->cpu_affinity.len; i++)
		any |= record->cpu_affinity.data[i] != 0;
	if (!any || record->cpu_affinity.len > MASK_SIZE)
		return refuse(EINVAL, "the list of its CPUs has %zu bytes%s: the image is damaged",
			      record->cpu_affinity.len, any ? "" : " and no CPU");
	return 0;
}

/* The first CPU that it may not use here, for the message; -1 if there is none. */
static int find_missing(const struct cpus *wanted, const struct cpus *allowed)
{
	for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++)
		if (has_cpu(wanted, cpu) && !has_cpu(allowed, cpu))
			return (int)cpu;
	return -1;
}

/* A machine or a cpuset without its CPUs is no reason not to run. */
static int settle_affinity(struct restore *r, struct thread *thread)
{
	const ThreadCoreEntry *record = thread->core->thread_core;
	struct cpus now, wanted;
	int missing;

	if (!record->has_cpu_affinity)
		return 0;
	read_record(record, &wanted);
	TRY(read_allowed(thread->tid, &now));
	if (!memcmp(&now, record->cpu_affinity.len ? &wanted : &task_host_of_restore(r)->online, sizeof(now)))
		return 0;
	if (syscall(__NR_sched_setaffinity, thread->tid, sizeof(wanted), &wanted) < 0 && errno != EINVAL)
		return fail_errno("setting the CPUs that it may run on");
	TRY(read_allowed(thread->tid, &now));
	missing = record->cpu_affinity.len ? find_missing(&wanted, &now) : -1;
	if (missing >= 0)
		log_warn("thread %d may not run on CPU %d as before: this machine or its cpuset does not have it",
			 thread->vtid, missing);
	return 0;
}

const struct task_part cpu_affinity_part = {
	.name = "cpu-affinity",
	.aside = dump_affinity,
	.check = check_affinity,
	.settle = settle_affinity,
};
