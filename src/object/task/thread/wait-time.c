/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What was left of the time limit of a system call that began before the dump. When it ends the kernel keeps to itself;
 * but it tells when the thread went to sleep, and the limit stands in its registers. Only calls that the kernel takes
 * up again by restart_syscall(2): the restore can put a thread into such a call, and nobody sees that it was given less
 * time (arch_wait_again()). A call that was interrupted once before is known only from then on.
 */
#include <errno.h>
#include <limits.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "arch_regs.h"
#include "base/log.h"
#include "kern/proc/sleep.h"
#include "object/task/part.h"

#define NS_PER_S  1000000000ull
#define NS_PER_MS 1000000ull
#define CPUS	  1024 /* others are not asked */

/* How far the clock of each CPU is behind CLOCK_MONOTONIC. */
struct cpu_clocks {
	struct {
		bool asked, known;
		int64_t behind;
	} cpus[CPUS];
};

static const struct state_type clocks_state = { sizeof(struct cpu_clocks), NULL };

static bool clock_of_cpu(const struct dump *d, int cpu, int64_t *ret_behind)
{
	struct cpu_clocks *clocks = state_find(d->states, &clocks_state) ?: state_make(d->states, &clocks_state);
	uint64_t there, here;

	if (cpu < 0 || cpu >= CPUS)
		return false;
	if (!clocks->cpus[cpu].asked) {
		clocks->cpus[cpu].asked = true;
		clocks->cpus[cpu].known = sleep_cpu_now(cpu, &there, &here) == 0;
		clocks->cpus[cpu].behind = (int64_t)(here - there);
	}
	*ret_behind = clocks->cpus[cpu].behind;
	return clocks->cpus[cpu].known;
}

static bool read_time(pid_t tid, uint64_t address, bool short_words, uint64_t *ret_ns)
{
	struct timespec time;
	int32_t words[2];
	struct iovec local = { &time, sizeof(time) }, remote = { (void *)address, sizeof(time) };

	if (short_words)
		local = (struct iovec){ words, remote.iov_len = sizeof(words) };
	if (process_vm_readv(tid, &local, 1, &remote, 1, 0) != (ssize_t)local.iov_len)
		return false;
	if (short_words)
		time = (struct timespec){ words[0], words[1] };
	if (time.tv_sec < 0 || time.tv_sec > INT_MAX || time.tv_nsec < 0 || time.tv_nsec >= (long)NS_PER_S)
		return false;
	*ret_ns = (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
	return true;
}

/* The limit of the call. exact: it is what is left, as the kernel has written it when we stopped the thread. */
static bool read_limit(pid_t tid, const struct arch_timed_wait *wait, uint64_t *ret_ns, bool *ret_exact)
{
	*ret_exact = wait->limit_ms < 0 && wait->left;
	if (wait->limit_ms < 0)
		return read_time(tid, wait->left ?: wait->limit, wait->short_words, ret_ns);
	*ret_ns = (uint64_t)wait->limit_ms * NS_PER_MS;
	return true;
}

/* Since it sleeps in this very call. */
static bool time_slept(const struct dump *d, const struct thread *thread, const struct arch_timed_wait *wait,
		       uint64_t *ret_ns)
{
	const struct proc_sleep *sleep = thread->dump->sleep;
	uint64_t now = clock_now_ns();
	int64_t behind;

	if (!sleep || (sleep->nr != wait->nr && sleep->nr != wait->nr_again) ||
	    sleep->sp != arch_state_sp(thread->dump->state) || !clock_of_cpu(d, sleep->cpu, &behind))
		return false;
	*ret_ns = now - (sleep->since + (uint64_t)behind);
	return *ret_ns <= now;
}

static int dump_wait_time(const struct dump *d, struct thread *thread)
{
	ThreadCoreEntry *record = thread->core->thread_core;
	struct arch_timed_wait wait;
	uint64_t limit, slept = 0;
	bool exact;

	if (!arch_state_timed_wait(thread->dump->state, thread->dump->alone, &wait) ||
	    !read_limit(thread->tid, &wait, &limit, &exact) ||
	    ((!exact || wait.must_be_seen) && !time_slept(d, thread, &wait, &slept)))
		return 0;
	arch_state_resume_wait(thread->dump->state);
	record->has_wait_left_ns = true;
	if (exact)
		slept = 0;
	record->wait_left_ns = slept < limit ? limit - slept : 0;
	log_debug("of its wait are left %llu ms", (unsigned long long)(record->wait_left_ns / NS_PER_MS));
	return 0;
}

const struct task_part wait_time_part = {
	.name = "wait-time",
	.outside = dump_wait_time,
};
