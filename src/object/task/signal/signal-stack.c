/* SPDX-License-Identifier: GPL-2.0-only */
/* The alternate signal stack of a thread, see sigaltstack(2). */
#include <signal.h>

#include "base/fail.h"
#include "object/task/part.h"
#include "plan/plan.h"

/* asm-generic/signal-defs.h: newer than the headers of some C libraries. */
#define SS_AUTODISARM_FLAG (1u << 31)

extern const struct task_part signal_stack_part;

static int ask_signal_stack(struct dump *d, struct thread *thread, struct plan *plan)
{
	size_t *offset = part_offsets(d, thread, &signal_stack_part, 1);

	*offset = plan_space(plan, sizeof(stack_t));
	plan_syscall(plan, "read the signal stack", __NR_sigaltstack, V(0), D(*offset));
	return 0;
}

static int put_signal_stack(struct dump *d, struct thread *thread, uint64_t at, uint64_t size, uint32_t flags)
{
	ThreadSasEntry *record = pool_new(d->pool, ThreadSasEntry);

	thread_sas_entry__init(record);
	record->ss_sp = at;
	record->ss_size = size;
	record->ss_flags = flags;
	thread->core->thread_core->sas = record;
	return 0;
}

/* The thread runs on our stack now: SS_ONSTACK, which the kernel computes from the stack pointer, is never in the
 * answer. */
static int answer_signal_stack(struct dump *d, struct thread *thread)
{
	const stack_t *stack = remote_result(thread->remote, *part_offsets(d, thread, &signal_stack_part, 1));

	return put_signal_stack(d, thread, (uint64_t)(uintptr_t)stack->ss_sp, stack->ss_size,
				(uint32_t)stack->ss_flags);
}

/* What the kernel answers is made of what it keeps, which may have other flags. */
static int told_signal_stack(struct dump *d, struct thread *thread)
{
	const struct task_own *own = thread->dump->own;

	return put_signal_stack(d, thread, own->stack, own->stack_size,
				(own->stack_size ? 0 : SS_DISABLE) | (own->stack_flags & SS_AUTODISARM_FLAG));
}

static int check_signal_stack(const struct restore *r, struct thread *thread)
{
	const ThreadSasEntry *record = thread->core->thread_core->sas;

	if (record && (record->ss_flags & ~(SS_ONSTACK | SS_DISABLE | SS_AUTODISARM_FLAG)))
		return refuse(EINVAL, "the signal stack has the flags 0x%x: the image is damaged", record->ss_flags);
	return 0;
}

/* A new thread of clone(CLONE_VM) has none, other tasks inherit ours: always set. */
static int plan_signal_stack(struct restore *r, struct thread *thread, struct plan *plan)
{
	const ThreadSasEntry *record = thread->core->thread_core->sas;
	stack_t stack = { .ss_flags = SS_DISABLE };

	if (record && !(record->ss_flags & SS_DISABLE)) {
		stack.ss_sp = (void *)(uintptr_t)record->ss_sp;
		stack.ss_size = record->ss_size;
		stack.ss_flags = (int)(record->ss_flags & SS_AUTODISARM_FLAG);
	}
	plan_syscall(plan, "set the signal stack", __NR_sigaltstack, D(plan_data(plan, &stack, sizeof(stack))), V(0));
	return 0;
}

const struct task_part signal_stack_part = {
	.name = "signal-stack",
	.ask = ask_signal_stack,
	.answer = answer_signal_stack,
	.told = told_signal_stack,
	.check = check_signal_stack,
	.plan = plan_signal_stack,
};
