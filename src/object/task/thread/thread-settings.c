/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Settings of a thread that protect or tune it and that only it can read: what it wants of memory errors
 * (PR_MCE_KILL), how the CPU may speculate for it (PR_SET_SPECULATION_CTRL), from which nodes its memory comes
 * (set_mempolicy(2)). CRIU does not save them; ours are fields that it skips.
 */
#include <errno.h>
#include <linux/mempolicy.h>
#include <sys/prctl.h>

#include "base/fail.h"
#include "object/task/host.h"
#include "object/task/part.h"
#include "plan/plan.h"
#include "session/loss.h"

/* linux/prctl.h; what follows the first two came with Linux 5.11. */
#define SPECULATIONS	  3
#define SPECULATION_MODES (PR_SPEC_ENABLE | PR_SPEC_DISABLE | PR_SPEC_FORCE_DISABLE | 1u << 4 /* DISABLE_NOEXEC */)

#define NODES_MAX  1024 /* CONFIG_NODES_SHIFT is at most 10 */
#define NODE_BYTES (NODES_MAX / 8)

/* linux/prctl.h, Linux 5.14. */
#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE	  62
#define PR_SCHED_CORE_GET 0
#endif

#define IO_FLUSHER_FLAG 0x00080000 /* PF_MEMALLOC_NOIO in /proc/PID/stat, linux/sched.h */

extern const struct task_part thread_settings_part;

enum offset { MCE, SPECULATION, POLICY = SPECULATION + SPECULATIONS, MODE, NODES, OFFSETS };

static int ask_settings(struct dump *d, struct thread *thread, struct plan *plan)
{
	size_t *offset = part_offsets(d, thread, &thread_settings_part, OFFSETS);
	struct step *step;

	step = plan_syscall(plan, "read what memory errors do", __NR_prctl, V(PR_MCE_KILL_GET), V(0), V(0), V(0), V(0));
	step->flags |= STEP_MAY_FAIL;
	offset[MCE] = plan_keep_result(plan, step);
	for (int i = 0; i < SPECULATIONS; i++) {
		step = plan_syscall(plan, "read how the CPU may speculate", __NR_prctl, V(PR_GET_SPECULATION_CTRL),
				    V(i), V(0), V(0), V(0));
		step->flags |= STEP_MAY_FAIL;
		offset[SPECULATION + i] = plan_keep_result(plan, step);
	}
	offset[MODE] = plan_space(plan, sizeof(int));
	offset[NODES] = plan_space(plan, NODE_BYTES);
	step = plan_syscall(plan, "read the memory policy", __NR_get_mempolicy, D(offset[MODE]), D(offset[NODES]),
			    V(NODES_MAX), V(0), V(0));
	step->flags |= STEP_MAY_FAIL; /* a kernel without CONFIG_NUMA */
	offset[POLICY] = plan_keep_result(plan, step);
	return 0;
}

static void answer_policy(struct dump *d, struct thread *thread, const size_t *offset)
{
	ThreadCoreEntry *record = thread->core->thread_core;
	int mode = *(const int *)remote_result(thread->remote, offset[MODE]);

	if (remote_value(thread->remote, offset[POLICY]) < 0 || mode == MPOL_DEFAULT)
		return;
	record->has_memory_policy = true;
	record->memory_policy = (uint32_t)mode;
	record->has_memory_nodes = true;
	record->memory_nodes.len = NODE_BYTES;
	record->memory_nodes.data = pool_copy(d->pool, remote_result(thread->remote, offset[NODES]), NODE_BYTES);
}

/* What is the kernel's default, or nobody may change, is not recorded. */
static int answer_settings(struct dump *d, struct thread *thread)
{
	const size_t *offset = part_offsets(d, thread, &thread_settings_part, OFFSETS);
	ThreadCoreEntry *record = thread->core->thread_core;
	int64_t mce = remote_value(thread->remote, offset[MCE]);

	record->has_mce_kill = mce == PR_MCE_KILL_EARLY || mce == PR_MCE_KILL_LATE;
	record->mce_kill = record->has_mce_kill ? (uint32_t)mce : 0;
	record->speculation = pool_array(d->pool, uint32_t, SPECULATIONS);
	for (int i = 0; i < SPECULATIONS; i++) {
		int64_t value = remote_value(thread->remote, offset[SPECULATION + i]);

		if (value > 0 && value & PR_SPEC_PRCTL)
			record->speculation[i] = (uint32_t)value & SPECULATION_MODES;
		if (record->speculation[i])
			record->n_speculation = SPECULATIONS;
	}
	answer_policy(d, thread, offset);
	return 0;
}

/* Who has a memory policy is asked. */
static int told_settings(struct dump *d, struct thread *thread)
{
	const ThreadCoreEntry *other = thread->dump->like->core->thread_core;
	ThreadCoreEntry *record = thread->core->thread_core;

	record->has_mce_kill = other->has_mce_kill;
	record->mce_kill = other->mce_kill;
	record->speculation = other->speculation;
	record->n_speculation = other->n_speculation;
	return 0;
}

/* What can be seen from outside, but not be given to a restored task. */
static int tell_losses(const struct dump *d, struct thread *thread)
{
	uint64_t cookie = 0;

	if (task_host_of_dump(d)->core_cookies &&
	    prctl(PR_SCHED_CORE, PR_SCHED_CORE_GET, thread->tid, 0, &cookie) == 0 && cookie)
		dump_report_loss(d, "with whom it may share a CPU core (PR_SCHED_CORE)");
	if (thread == thread->task->leader && thread->task->dump->stat.flags & IO_FLUSHER_FLAG)
		dump_report_loss(d, "that it writes back data for others (PR_SET_IO_FLUSHER)");
	return 0;
}

static int check_settings(const struct restore *r, struct thread *thread)
{
	const ThreadCoreEntry *record = thread->core->thread_core;

	if (record->mce_kill > PR_MCE_KILL_EARLY || record->n_speculation > SPECULATIONS ||
	    record->memory_nodes.len > NODE_BYTES || record->memory_nodes.len % sizeof(long))
		return refuse(EINVAL,
			      "the action for memory errors is %u, %zu speculations, %zu bytes of nodes: the image is "
			      "damaged",
			      record->mce_kill, record->n_speculation, record->memory_nodes.len);
	for (size_t i = 0; i < record->n_speculation; i++)
		if (record->speculation[i] & ~(uint32_t)SPECULATION_MODES)
			return refuse(EINVAL, "the control of speculation %zu is 0x%x: the image is damaged", i,
				      record->speculation[i]);
	return 0;
}

/*
 * Where this CPU is not affected, or lets nobody choose, there is nothing to set for who is as free as before, or as
 * safe. 0: not affected.
 */
static bool is_to_be_set(int which, uint32_t mode)
{
	int now = prctl(PR_GET_SPECULATION_CTRL, which, 0, 0, 0);

	if (now > 0 && now & PR_SPEC_PRCTL)
		return true;
	return mode != PR_SPEC_ENABLE && now != PR_SPEC_NOT_AFFECTED && !(now > 0 && now & PR_SPEC_DISABLE);
}

static int plan_settings(struct restore *r, struct thread *thread, struct plan *plan)
{
	const ThreadCoreEntry *record = thread->core->thread_core;

	if (record->has_mce_kill)
		plan_syscall(plan, "set what memory errors do", __NR_prctl, V(PR_MCE_KILL), V(PR_MCE_KILL_SET),
			     V(record->mce_kill), V(0), V(0));
	for (size_t i = 0; i < record->n_speculation; i++)
		if (record->speculation[i] && is_to_be_set((int)i, record->speculation[i]))
			plan_syscall(plan, "set how the CPU may speculate (another CPU?)", __NR_prctl,
				     V(PR_SET_SPECULATION_CTRL), V(i), V(record->speculation[i]), V(0), V(0));
	if (record->has_memory_policy)
		plan_syscall(plan, "set the memory policy (nodes of another machine?)", __NR_set_mempolicy,
			     V((int)record->memory_policy),
			     record->memory_nodes.len
				     ? D(plan_data(plan, record->memory_nodes.data, record->memory_nodes.len))
				     : V(0),
			     V(record->memory_nodes.len * 8));
	return 0;
}

const struct task_part thread_settings_part = {
	.name = "thread-settings",
	.outside = tell_losses,
	.ask = ask_settings,
	.answer = answer_settings,
	.told = told_settings,
	.check = check_settings,
	.plan = plan_settings,
};
