/* SPDX-License-Identifier: GPL-2.0-only */
/* Signal actions: what a process does on each signal, see sigaction(2). */
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "arch_compat_abi.h"
#include "arch_regs.h"
#include "base/fail.h"
#include "object/task/part.h"
#include "object/task/self.h"
#include "plan/plan.h"

/* Signals 1 to 64 without SIGKILL and SIGSTOP. */
#define N_ACTIONS   62
#define SIGSET_SIZE 8

/* The kernel's own form, asm/signal.h; not the one of libc. */
struct kernel_sigaction {
	uint64_t handler, flags, restorer, mask;
};

/* That of 32-bit programs. The kernel remembers who set an action: frames of handlers are of that mode. */
struct compat_sigaction {
	uint32_t handler, flags, restorer, mask[2];
};

extern const struct task_part signal_actions_part;

/* The signal that element i of the record is about. */
static int signal_of(int i)
{
	int sig = i + 1;

	if (sig >= SIGKILL)
		sig++;
	if (sig >= SIGSTOP)
		sig++;
	return sig;
}

static int ask_signal_actions(struct dump *d, struct thread *thread, struct plan *plan)
{
	size_t *offset;

	if (thread != thread->task->leader)
		return 0;
	offset = part_offsets(d, thread, &signal_actions_part, 1);
	*offset = plan_space(plan, N_ACTIONS * sizeof(struct kernel_sigaction));
	for (int i = 0; i < N_ACTIONS; i++)
		plan_syscall(plan, "read a signal action", __NR_rt_sigaction, V(signal_of(i)), V(0),
			     D(*offset + i * sizeof(struct kernel_sigaction)), V(SIGSET_SIZE));
	return 0;
}

static int answer_signal_actions(struct dump *d, struct thread *thread)
{
	TaskCoreEntry *tc = thread->core->tc;
	bool compat = arch_core_is_compat(thread->core);
	const struct kernel_sigaction *action;
	SaEntry *entries;

	if (thread != thread->task->leader)
		return 0;
	action = remote_result(thread->remote, *part_offsets(d, thread, &signal_actions_part, 1));
	entries = pool_array(d->pool, SaEntry, N_ACTIONS);
	tc->sigactions = pool_array(d->pool, SaEntry *, N_ACTIONS);
	tc->n_sigactions = N_ACTIONS;
	for (int i = 0; i < N_ACTIONS; i++, action++) {
		SaEntry *entry = tc->sigactions[i] = &entries[i];

		sa_entry__init(entry);
		entry->sigaction = action->handler;
		entry->flags = action->flags;
		entry->restorer = action->restorer;
		entry->mask = action->mask;
		entry->has_compat_sigaction = true;
		entry->compat_sigaction = compat;
	}
	return 0;
}

static int check_signal_actions(const struct restore *r, struct thread *thread)
{
	const TaskCoreEntry *tc = thread->core->tc;

	if (thread != thread->task->leader)
		return 0;
	if (tc->n_sigactions != N_ACTIONS)
		return refuse(EINVAL, "the record has %zu signal actions, not %d: the image is damaged",
			      tc->n_sigactions, N_ACTIONS);
	for (int i = 0; i < N_ACTIONS; i++)
		if (tc->sigactions[i]->compat_sigaction && !arch_core_is_compat(thread->core))
			return refuse(EINVAL,
				      "signal actions of a 32-bit program in a 64-bit one: the image is damaged");
	return 0;
}

static bool is_default(const SaEntry *entry)
{
	return !entry->sigaction && !entry->flags && !entry->mask;
}

static void plan_action(const SaEntry *entry, int sig, struct plan *plan)
{
	struct kernel_sigaction action = { entry->sigaction, entry->flags, entry->restorer, entry->mask };
	struct compat_sigaction compat = {
		(uint32_t)entry->sigaction,
		(uint32_t)entry->flags,
		(uint32_t)entry->restorer,
		{ (uint32_t)entry->mask, (uint32_t)(entry->mask >> 32) },
	};

	if (entry->compat_sigaction)
		plan_compat_syscall(plan, "set a signal action of a 32-bit program", ARCH_COMPAT_RT_SIGACTION, V(sig),
				    D(plan_data(plan, &compat, sizeof(compat))), V(0), V(SIGSET_SIZE));
	else
		plan_syscall(plan, "set a signal action", __NR_rt_sigaction, V(sig),
			     D(plan_data(plan, &action, sizeof(action))), V(0), V(SIGSET_SIZE));
}

/*
 * Not before all zombies are dead: ignoring SIGCHLD would let the kernel reap them. New tasks have the actions of their
 * creators, and so those of this program: most need not be set.
 */
static int last_signal_actions(struct restore *r, struct thread *thread, struct plan *plan)
{
	const TaskCoreEntry *tc = thread->core->tc;
	uint64_t inherited;

	if (thread != thread->task->leader)
		return 0;
	inherited = self_default_actions(r);
	for (int i = 0; i < N_ACTIONS; i++) {
		const SaEntry *entry = tc->sigactions[i];
		int sig = signal_of(i);

		if (is_default(entry) && inherited >> (sig - 1) & 1)
			continue;
		plan_action(entry, sig, plan);
	}
	return 0;
}

const struct task_part signal_actions_part = {
	.name = "signal-actions",
	.ask = ask_signal_actions,
	.answer = answer_signal_actions,
	.check = check_signal_actions,
	.last = last_signal_actions,
};
