/* SPDX-License-Identifier: LGPL-2.1-only */
/* /proc/PID/stat: family, terminal, addresses of the memory descriptor. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct proc_stat {
	pid_t pid;
	char comm[64]; /* up to 15 characters for a user's task, more for kernel threads */
	char state;
	/* As the reader's /proc shows them; 0 for what is outside of its pid namespace. */
	pid_t ppid, pgrp, session;
	int tty_nr;	/* device number, new encoding; 0 = none */
	pid_t tpgid;	/* -1 = none */
	uint32_t flags; /* PF_.. of the kernel */
	int64_t priority, nice;
	uint32_t threads;
	uint64_t start_time; /* clock ticks since boot; with the pid it identifies a task */
	/* These are 0 or 1 for whoever must not ptrace the task. */
	uint64_t start_code, end_code, start_stack, start_data, end_data, start_brk;
	uint64_t arg_start, arg_end, env_start, env_end;
	int exit_signal;
	int processor;
	uint32_t rt_priority, policy;
	int exit_code; /* as from wait(2) */
};

int proc_stat_read(int proc, struct proc_stat *ret);
int proc_stat_read_thread(int proc, pid_t tid, struct proc_stat *ret);
int proc_stat_parse(const char *text, struct proc_stat *ret);
