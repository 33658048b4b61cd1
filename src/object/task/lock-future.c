/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether all that a process will map stays in memory: mlockall(2) with MCL_FUTURE. Nothing shows it, but the memory
 * that we have mapped there ourselves is locked, too.
 */
#include <errno.h>
#include <sys/mman.h>

#include "base/auto.h"
#include "base/fail.h"
#include "kern/proc/maps.h"
#include "object/task/part.h"
#include "plan/plan.h"

extern const struct task_part lock_future_part;

static int ask_lock(struct dump *d, struct thread *thread, struct plan *plan)
{
	size_t *offset;

	if (thread != thread->task->leader)
		return 0;
	offset = part_offsets(d, thread, &lock_future_part, 1);
	*offset = plan_space(plan, sizeof(uint64_t));
	plan_step(plan, "say where criu's memory is", STEP_SET_LONG, (struct plan_arg[]){ D(*offset), D(*offset) }, 2);
	return 0;
}

struct lock_seen {
	bool grown; /* more is locked than before our memory came */
};

static const struct state_type seen_state = { sizeof(struct lock_seen), NULL };

/* Our memory is there by now, unless nobody asks. */
static int look_at_lock(const struct dump *d, struct thread *thread)
{
	AUTO(proc_status_done) struct proc_status status = { 0 };

	if (thread != thread->task->leader || (thread->dump->own && !thread->dump->own->memory_defaults))
		return 0;
	TRY(proc_status_read(thread->task->dump->proc, &status));
	((struct lock_seen *)state_make(&thread->dump->states, &seen_state))->grown =
		status.vm_lck_kb != thread->dump->status.vm_lck_kb;
	return 0;
}

static int answer_lock(struct dump *d, struct thread *thread)
{
	const struct lock_seen *seen = state_find(&thread->dump->states, &seen_state);
	AUTO(mappings_done) struct mappings mappings = { 0 };
	TaskCoreEntry *tc = thread->core->tc;
	const struct mapping *ours;

	if (!seen || !seen->grown)
		return 0;
	TRY(mappings_read(thread->task->dump->proc, MAPPINGS_FULL, &mappings));
	ours = mappings_find(&mappings,
			     (uint64_t)remote_value(thread->remote, *part_offsets(d, thread, &lock_future_part, 1)));
	if (!ours || !(ours->vm_flags & VMF(LO)))
		return 0;
	tc->has_lock_future = true;
	tc->lock_future = MCL_FUTURE;
	/* Before it had a name of its own, it was shown as "??". */
	if (ours->vm_flags & (VMF(LF) | VMF_UNKNOWN))
		tc->lock_future |= MCL_ONFAULT;
	return 0;
}

static int check_lock(const struct restore *r, struct thread *thread)
{
	const TaskCoreEntry *tc = thread->core->tc;

	if (thread == thread->task->leader && (tc->lock_future & ~(uint32_t)(MCL_FUTURE | MCL_ONFAULT)))
		return refuse(EINVAL, "flags 0x%x for mlockall: the image is damaged", tc->lock_future);
	return 0;
}

static int plan_lock(struct restore *r, struct thread *thread, struct plan *plan)
{
	const TaskCoreEntry *tc = thread->core->tc;

	if (thread == thread->task->leader && tc->lock_future & MCL_FUTURE)
		plan_syscall(plan, "lock what it will map", __NR_mlockall, V(tc->lock_future));
	return 0;
}

const struct task_part lock_future_part = {
	.name = "lock-future",
	.ask = ask_lock,
	.aside = look_at_lock,
	.answer = answer_lock,
	.check = check_lock,
	.last = plan_lock,
};
