/* SPDX-License-Identifier: GPL-2.0-only */
/* What is the same for all threads, since it is of the machine or of criu: asked once, before anything stands still. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "session/session.h"

#define LABEL_SIZE 4096 /* of a security module */

#define CPUS_MAX  8192 /* CONFIG_NR_CPUS of any kernel is at most that */
#define CPU_WORDS (CPUS_MAX / (8 * sizeof(unsigned long)))

/* The kernel's own form: an array of longs. */
struct cpus {
	unsigned long words[CPU_WORDS];
};

struct task_host {
	const char *label;	/* of criu itself; "": no security module gives labels, to nobody */
	struct cpus online;	/* all CPUs that run */
	bool core_cookies;	/* PR_SCHED_CORE, Linux 5.14 */
	bool tells_membarriers; /* MEMBARRIER_CMD_GET_REGISTRATIONS, Linux 6.3 */
	uint64_t slice_ns;	/* of criu itself; 0 before Linux 6.12 */
	/* Of criu itself, and so of all that it makes, until that is changed. */
	bool is_inherited; /* policy and nice value are: it is no real-time thread, and nothing is reset by fork(2) */
	int policy, nice;
	long io_priority; /* 0: without a class; -1: not known */
};

/* struct sched_attr of linux/sched/types.h, which does not get along with <sched.h>. */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period; /* runtime: of others than SCHED_DEADLINE their time slice, in ns */
	uint32_t util_min, util_max;
};

int scheduling_read(pid_t tid, struct scheduling *ret); /* 0: of the caller. -1 and errno */
/* Without a class it is 0, as the level follows from the nice value then. tid 0: of the caller. -1 and errno. */
long host_read_io_priority(pid_t tid);

void cpus_add(struct cpus *cpus, unsigned cpu);

/* What /proc/PID/attr says, "" without a security module that gives labels. */
int host_read_label(int proc, const char *name, char ret[LABEL_SIZE]);

/* Of a session, once. */
int task_host_read(struct states *states, struct pool *pool);
/* NULL before that. */
const struct task_host *task_host_of_dump(const struct dump *d);
const struct task_host *task_host_of_restore(const struct restore *r);
