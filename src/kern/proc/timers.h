/* SPDX-License-Identifier: LGPL-2.1-only */
/* POSIX timers of a process: /proc/PID/timers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_timer {
	int id;
	int signal;
	uint64_t sival_ptr; /* sigev_value */
	int notify;   /* SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD; SIGEV_THREAD_ID is or'ed when tid is the target */
	pid_t target; /* process, or thread with SIGEV_THREAD_ID; as /proc sees it, 0 if out of sight */
	int clock;
};

struct proc_timers {
	struct proc_timer *items;
	size_t n, capacity;
};

int proc_timers_read(int proc, struct proc_timers *ret);
int proc_timers_parse(char *text, struct proc_timers *ret); /* changes the text */
void proc_timers_done(struct proc_timers *timers);
