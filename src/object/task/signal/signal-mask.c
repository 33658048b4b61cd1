/* SPDX-License-Identifier: GPL-2.0-only */
/* The signals that a thread blocks, see sigprocmask(2); read and set from outside while the thread is stopped. */
#include <errno.h>
#include <sys/ptrace.h>

#include "base/fail.h"
#include "object/task/part.h"

/* It was read when the thread was stopped: the blob runs with another. In sigsuspend(2) and the like it is the one that
 * comes back after the call. */
static int dump_signal_mask(const struct dump *d, struct thread *thread)
{
	uint64_t mask = thread->dump->sigmask;

	if (thread == thread->task->leader) {
		thread->core->tc->blk_sigset = mask;
	} else {
		thread->core->thread_core->has_blk_sigset = true;
		thread->core->thread_core->blk_sigset = mask;
	}
	return 0;
}

static int settle_signal_mask(struct restore *r, struct thread *thread)
{
	const CoreEntry *core = thread->core;
	uint64_t mask = thread == thread->task->leader ? core->tc->blk_sigset : core->thread_core->blk_sigset;

	if (ptrace(PTRACE_SETSIGMASK, thread->tid, sizeof(mask), &mask) < 0)
		return fail_errno("setting the signal mask");
	return 0;
}

const struct task_part signal_mask_part = {
	.name = "signal-mask",
	.outside = dump_signal_mask,
	.settle = settle_signal_mask,
};
