/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * When a thread went to sleep: /proc/PID/task/TID/sched tells when it was last charged for running. That is by the
 * clock of its CPU, which knows no common beginning, and may stand still while interrupts run or the host does
 * something else.
 */
#include "kern/proc/sleep.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/deadline.h"
#include "base/fail.h"
#include "base/file.h"
#include "kern/proc/stat.h"

static bool has_limit(const struct proc_sleep *sleep)
{
	switch (sleep->nr) {
#ifdef __NR_poll
	case __NR_poll:
		return (int)sleep->args[2] > 0;
#endif
	case __NR_futex:
		return sleep->args[3];
	case __NR_nanosleep:
	case __NR_clock_nanosleep:
	case __NR_restart_syscall:
		return true;
	}
	return false;
}

static int read_call(int thread, struct proc_sleep *ret)
{
	unsigned long long a[6], sp;
	char text[256];
	long nr;

	if (file_read_text(thread, "syscall", text, sizeof(text)) < 0 ||
	    sscanf(text, "%ld 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx", &nr, &a[0], &a[1], &a[2], &a[3], &a[4],
		   &a[5], &sp) != 8)
		return -ENOENT;
	ret->nr = nr;
	for (int i = 0; i < 6; i++)
		ret->args[i] = a[i];
	ret->sp = sp;
	return 0;
}

/* It stands in the third line. */
static int read_exec_start(int thread, uint64_t *ret)
{
	AUTO_CLOSE int fd = openat(thread, "sched", O_RDONLY | O_CLOEXEC);
	unsigned long long ms;
	char text[512];
	const char *line;
	ssize_t size;
	unsigned ns;

	size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (size < 0)
		return -errno;
	text[size] = '\0';
	line = strstr(text, "se.exec_start");
	line = line ? strchr(line, ':') : NULL;
	if (!line || sscanf(line, ": %llu.%6u", &ms, &ns) != 2)
		return -ENOENT;
	*ret = ms * 1000000 + ns;
	return 0;
}

void proc_sleep_read(int thread, struct proc_sleep *ret)
{
	struct proc_stat stat;

	ret->nr = -1;
	if (read_call(thread, ret) < 0 || !has_limit(ret) || read_exec_start(thread, &ret->since) < 0 ||
	    proc_stat_read(thread, &stat) < 0 || stat.state != 'S') {
		ret->nr = -1;
		return;
	}
	ret->cpu = stat.processor;
}

int sleep_cpu_now(int cpu, uint64_t *ret_cpu, uint64_t *ret_monotonic)
{
	AUTO_CLOSE int self = open("/proc/thread-self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cpu_set_t old, one;
	int error;

	if (cpu < 0 || cpu >= CPU_SETSIZE || self < 0 || sched_getaffinity(0, sizeof(old), &old) < 0)
		return -ENOENT;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		return -errno;
	sched_yield(); /* charges us for the time until now */
	error = read_exec_start(self, ret_cpu);
	*ret_monotonic = clock_now_ns();
	(void)sched_setaffinity(0, sizeof(old), &old);
	return error;
}
