/* SPDX-License-Identifier: GPL-2.0-only */
/* What the other threads do when the main thread of a process has ended: end as well, execute a program, or go on. */
#include "flow/freeze/last-threads.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "kern/proc/children.h"
#include "kern/proc/proc.h"
#include "session/session.h"

#define EXITING 0x00000004 /* PF_EXITING in linux/sched.h of the kernel's source */

/* Whether a thread is about to end: it was killed, as all threads are when one ends the process (exit_group(2)), or is
 * at it already. */
static bool is_dying(const struct task *task, pid_t tid)
{
	AUTO_CLOSE int proc = proc_open_thread(task->dump->proc, tid);
	AUTO(proc_status_done) struct proc_status status = { 0 };
	struct proc_stat stat;

	if (proc < 0 || proc_stat_read(proc, &stat) < 0 || proc_status_read(proc, &status) < 0)
		return true;
	return stat.flags & EXITING || stat.state == 'Z' || status.sig_pending & 1ull << (SIGKILL - 1);
}

/* What a thread does: it waits for something by itself, or has got a CPU for another millisecond. */
static bool has_lived(const struct task *task, pid_t tid, uint64_t *cpu_ns)
{
	AUTO_CLOSE int proc = proc_open_thread(task->dump->proc, tid);
	struct proc_stat stat;
	char text[64];

	if (proc < 0 || proc_stat_read(proc, &stat) < 0)
		return false;
	if (file_read_text(proc, "schedstat", text, sizeof(text)) > 0)
		*cpu_ns += strtoull(text, NULL, 10);
	return !strchr("RD", stat.state);
}

/*
 * Whether others than the main thread go on. A thread that executes a program first kills all others and waits for
 * their end (D), and then for a CPU, before the main thread is replaced: that takes as long as the machine is busy.
 */
bool others_live(const struct task *task, uint64_t *seen_ns)
{
	AUTO(proc_pids_done) struct proc_pids tids = { 0 };
	uint64_t cpu_ns = 0, before = *seen_ns;
	bool lived = false;

	(void)proc_threads_read(task->dump->proc, &tids); /* gone meanwhile */
	for (size_t i = 0; i < tids.n; i++)
		if (tids.items[i] != task->pid && !is_dying(task, tids.items[i]))
			lived |= has_lived(task, tids.items[i], &cpu_ns);
	*seen_ns = cpu_ns;
	return lived || cpu_ns > before + 500000;
}
