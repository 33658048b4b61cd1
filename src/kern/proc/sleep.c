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
#include <unistd.h>

#include "arch_regs.h"
#include "base/auto.h"
#include "base/deadline.h"
#include "base/fail.h"
#include "kern/proc/stat.h"

/* Files that are one record, of which one read(2) gets as much as there is room for. */
static int read_text(int dir, const char *path, char *to, size_t capacity)
{
	AUTO_CLOSE int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, to, capacity - 1);

	if (size < 0)
		return -errno;
	to[size] = '\0';
	return 0;
}

static int read_call(int proc, pid_t tid, struct proc_sleep *ret)
{
	unsigned long long a[6], sp;
	char path[48], text[256];
	long nr;

	snprintf(path, sizeof(path), "task/%d/syscall", tid);
	if (read_text(proc, path, text, sizeof(text)) < 0 ||
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
static int read_exec_start(int dir, const char *path, uint64_t *ret)
{
	unsigned long long ms;
	char text[512];
	const char *line;
	unsigned ns;

	TRY(read_text(dir, path, text, sizeof(text)));
	line = strstr(text, "se.exec_start");
	line = line ? strchr(line, ':') : NULL;
	if (!line || sscanf(line, ": %llu.%6u", &ms, &ns) != 2)
		return -ENOENT;
	*ret = ms * 1000000 + ns;
	return 0;
}

void proc_sleep_read(int proc, pid_t tid, struct proc_sleep *ret)
{
	struct proc_stat stat;
	char path[48];

	snprintf(path, sizeof(path), "task/%d/sched", tid);
	if (read_call(proc, tid, ret) < 0 || !arch_may_be_limited(ret->nr, ret->args, ret->sp) ||
	    read_exec_start(proc, path, &ret->since) < 0 || proc_stat_read_thread(proc, tid, &stat) < 0 ||
	    stat.state != 'S') {
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
	error = read_exec_start(self, "sched", ret_cpu);
	*ret_monotonic = clock_now_ns();
	(void)sched_setaffinity(0, sizeof(old), &old);
	return error;
}
