/* SPDX-License-Identifier: LGPL-2.1-only */
/* In which system call a thread sleeps, and since when. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct proc_sleep {
	long nr; /* -1: it sleeps in none that is known */
	uint64_t args[6], sp;
	int cpu;
	uint64_t since; /* ns, by the clock of that CPU's run queue: sleep_cpu_now() */
};

/* What cannot be found out leaves nr at -1. Only calls with a time limit that the kernel keeps
 * when they are interrupted are looked at closely. */
void proc_sleep_read(int proc, pid_t tid, struct proc_sleep *ret);

/* The clock of a CPU, and CLOCK_MONOTONIC at the same moment, in ns. Takes the calling thread there for a moment;
 * -errno, not logged, if it may not run there or the kernel (CONFIG_SCHED_DEBUG) does not tell. */
int sleep_cpu_now(int cpu, uint64_t *ret_cpu, uint64_t *ret_monotonic);
