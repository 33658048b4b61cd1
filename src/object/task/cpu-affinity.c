/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * On which CPUs a thread may run, see sched_setaffinity(2). CRIU does not save it; ours is a field that it skips. New
 * tasks inherit the CPUs of criu, so it is set for all threads, from outside.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "object/task/part.h"

#define CPUS_MAX   8192 /* CONFIG_NR_CPUS of any kernel is at most that */
#define MASK_SIZE  (CPUS_MAX / 8)
#define BITS_EACH  (8 * sizeof(unsigned long))
#define MASK_WORDS (CPUS_MAX / BITS_EACH)

/* The kernel's own form: an array of longs. */
struct cpus {
	unsigned long words[MASK_WORDS];
};

static bool has_cpu(const struct cpus *cpus, unsigned cpu)
{
	return cpus->words[cpu / BITS_EACH] >> cpu % BITS_EACH & 1;
}

static void add_cpu(struct cpus *cpus, unsigned cpu)
{
	cpus->words[cpu / BITS_EACH] |= 1ul << cpu % BITS_EACH;
}

static int read_allowed(pid_t tid, struct cpus *ret)
{
	memset(ret, 0, sizeof(*ret));
	return syscall(__NR_sched_getaffinity, tid, sizeof(*ret), ret) < 0 ? fail_errno("sched_getaffinity") : 0;
}

/* All that run at the moment: a list as "0-3,8". */
static void read_online(struct cpus *ret)
{
	char text[4096], *at = text;

	memset(ret, 0, sizeof(*ret));
	if (file_read_text(AT_FDCWD, "/sys/devices/system/cpu/online", text, sizeof(text)) <= 0)
		return;
	while (*at >= '0' && *at <= '9') {
		unsigned long first = strtoul(at, &at, 10), last = *at == '-' ? strtoul(at + 1, &at, 10) : first;

		for (; first <= last && first < CPUS_MAX; first++)
			add_cpu(ret, (unsigned)first);
		at += *at == ',';
	}
}

/* No bytes stand for all CPUs, however many there are. */
static int dump_affinity(struct dump *d, struct thread *thread)
{
	ThreadCoreEntry *record = thread->core->thread_core;
	struct cpus allowed, online;
	size_t size = 0;

	TRY(read_allowed(thread->tid, &allowed));
	read_online(&online);
	record->has_cpu_affinity = true;
	if (!memcmp(&allowed, &online, sizeof(allowed)))
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
			add_cpu(ret, cpu);
}

static int check_affinity(struct restore *r, struct thread *thread)
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
	struct cpus now, wanted, online;
	int missing;

	if (!record->has_cpu_affinity)
		return 0;
	read_record(record, &wanted);
	TRY(read_allowed(thread->tid, &now));
	read_online(&online);
	if (!memcmp(&now, record->cpu_affinity.len ? &wanted : &online, sizeof(now)))
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
	.outside = dump_affinity,
	.check = check_affinity,
	.settle = settle_affinity,
};
