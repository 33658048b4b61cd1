/* SPDX-License-Identifier: LGPL-2.1-only */
/* /proc/PID/stat. The name may hold blanks, parentheses and newlines; the last parenthesis ends it. */
#include "kern/proc/stat.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "kern/proc/proc.h"
#include "kern/proc/scan.h"

/* Numbers of proc_pid_stat(5), of those behind the state. */
enum field {
	FIELD_PPID = 4,
	FIELD_PGRP,
	FIELD_SESSION,
	FIELD_TTY_NR,
	FIELD_TPGID,
	FIELD_FLAGS,
	FIELD_PRIORITY = 18,
	FIELD_NICE,
	FIELD_THREADS,
	FIELD_START_TIME = 22,
	FIELD_START_CODE = 26,
	FIELD_END_CODE,
	FIELD_START_STACK,
	FIELD_EXIT_SIGNAL = 38,
	FIELD_PROCESSOR,
	FIELD_RT_PRIORITY,
	FIELD_POLICY,
	FIELD_START_DATA = 45,
	FIELD_END_DATA,
	FIELD_START_BRK,
	FIELD_ARG_START,
	FIELD_ARG_END,
	FIELD_ENV_START,
	FIELD_ENV_END,
	FIELD_EXIT_CODE,
	FIELDS
};

static bool parse_numbers(const char *p, int64_t *numbers)
{
	for (int i = FIELD_PPID; i < FIELDS; i++) {
		uint64_t value;
		bool negative;

		if (!scan_char(&p, ' '))
			return false;
		negative = scan_char(&p, '-');
		if (!scan_dec(&p, &value))
			return false;
		numbers[i] = (int64_t)(negative ? 0 - value : value);
	}
	return true;
}

static void fill_stat(struct proc_stat *stat, const int64_t *numbers)
{
	stat->ppid = (pid_t)numbers[FIELD_PPID];
	stat->pgrp = (pid_t)numbers[FIELD_PGRP];
	stat->session = (pid_t)numbers[FIELD_SESSION];
	stat->tty_nr = (int)numbers[FIELD_TTY_NR];
	stat->tpgid = (pid_t)numbers[FIELD_TPGID];
	stat->flags = (uint32_t)numbers[FIELD_FLAGS];
	stat->priority = numbers[FIELD_PRIORITY];
	stat->nice = numbers[FIELD_NICE];
	stat->threads = (uint32_t)numbers[FIELD_THREADS];
	stat->start_time = (uint64_t)numbers[FIELD_START_TIME];
	stat->start_code = (uint64_t)numbers[FIELD_START_CODE];
	stat->end_code = (uint64_t)numbers[FIELD_END_CODE];
	stat->start_stack = (uint64_t)numbers[FIELD_START_STACK];
	stat->exit_signal = (int)numbers[FIELD_EXIT_SIGNAL];
	stat->processor = (int)numbers[FIELD_PROCESSOR];
	stat->rt_priority = (uint32_t)numbers[FIELD_RT_PRIORITY];
	stat->policy = (uint32_t)numbers[FIELD_POLICY];
	stat->start_data = (uint64_t)numbers[FIELD_START_DATA];
	stat->end_data = (uint64_t)numbers[FIELD_END_DATA];
	stat->start_brk = (uint64_t)numbers[FIELD_START_BRK];
	stat->arg_start = (uint64_t)numbers[FIELD_ARG_START];
	stat->arg_end = (uint64_t)numbers[FIELD_ARG_END];
	stat->env_start = (uint64_t)numbers[FIELD_ENV_START];
	stat->env_end = (uint64_t)numbers[FIELD_ENV_END];
	stat->exit_code = (int)numbers[FIELD_EXIT_CODE];
}

int proc_stat_parse(const char *text, struct proc_stat *ret)
{
	const char *p = text, *end = strrchr(text, ')');
	int64_t numbers[FIELDS];
	uint64_t pid;
	size_t size;

	*ret = (struct proc_stat){ 0 };
	if (!end || !scan_dec(&p, &pid) || !scan_char(&p, ' ') || !scan_char(&p, '(') || p > end)
		return refuse(EINVAL, "cannot understand /proc/PID/stat");
	size = (size_t)(end - p);
	if (size >= sizeof(ret->comm))
		return refuse(EINVAL, "the name in /proc/PID/stat is too long");
	memcpy(ret->comm, p, size);
	ret->pid = (pid_t)pid;

	p = end + 1;
	if (!scan_char(&p, ' ') || !*p)
		return refuse(EINVAL, "no state in /proc/PID/stat");
	ret->state = *p++;
	if (!parse_numbers(p, numbers))
		return refuse(EINVAL, "cannot understand the numbers of /proc/PID/stat");
	fill_stat(ret, numbers);
	return 0;
}

int proc_stat_read(int proc, struct proc_stat *ret)
{
	AUTO(buffer_done) struct buffer text = { 0 };

	TRY(proc_read_record(proc, "stat", &text));
	return proc_stat_parse(text.data, ret);
}

int proc_stat_read_thread(int proc, pid_t tid, struct proc_stat *ret)
{
	AUTO(buffer_done) struct buffer text = { 0 };

	TRY(proc_read_thread_record(proc, tid, "stat", &text));
	return proc_stat_parse(text.data, ret);
}
