/* SPDX-License-Identifier: GPL-2.0-only */
/* How tasks are born. */
#include "flow/restore/birth.h"

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "base/fail.h"
#include "engine/engine.h"
#include "flow/actions.h"
#include "lib/compel/restorer.h"
#include "object/namespace/namespace.h"
#include "task/pid-space.h"

/* The numbers around its own, from inside outwards, to that of the tree. */
static void set_outer(struct restore *r, struct thread *thread)
{
	unsigned depth = thread->task->pid_space ? thread->task->pid_space->depth : 0;
	pid_t *outer;

	if (!depth)
		return;
	outer = pool_array(r->pool, pid_t, depth);
	for (unsigned i = 0; i < depth; i++)
		outer[i] = i + 1 < depth ? thread->inner_tids[depth - 2 - i] : thread->vtid;
	restorer_set_outer(thread->remote, outer, depth);
}

int birth_prepare(struct restore *r, struct thread *thread, pid_t parent)
{
	TRY(restorer_add(r->arena, thread_own_tid(thread), parent, &thread->remote));
	set_outer(r, thread);
	restorer_set_tid(thread->remote, r->facts->inner_pids ? 0 : thread->vtid);
	return 0;
}

bool birth_begins_space(const struct task *task)
{
	return task->pid_space && task->pid_space->first == task;
}

bool birth_is_possible(const struct task *task)
{
	return !task->pid_space || birth_begins_space(task) || task->pid_space->fd >= 0;
}

uint64_t birth_flags(const struct task *task)
{
	const struct task *creator = task->restore->creator;
	uint64_t flags = task->restore->by_sibling ? CLONE_PARENT : 0;

	if (birth_begins_space(task))
		flags |= CLONE_NEWPID;
	if (!task->ids || !creator->ids)
		return flags;
	if (task->ids->vm_id == creator->ids->vm_id)
		flags |= CLONE_VM;
	if (task->ids->files_id == creator->ids->files_id)
		flags |= CLONE_FILES;
	if (task->ids->fs_id == creator->ids->fs_id)
		flags |= CLONE_FS;
	if (task->ids->sighand_id == creator->ids->sighand_id)
		flags |= CLONE_SIGHAND;
	return flags;
}

int birth_signal(const struct task *task)
{
	const TaskCoreEntry *tc = task_is_live(task) ? task->leader->core->tc : NULL;

	if (task->restore->by_sibling) /* that of its creator */
		return 0;
	return tc && tc->has_exit_signal ? (int)tc->exit_signal : SIGCHLD;
}

/* The first process of a namespace makes it; others are born into it when their creator looks there. */
static const struct pid_space *space_at_birth(const struct task *task)
{
	return birth_begins_space(task) ? task->pid_space->parent : task->pid_space;
}

static void plan_clone(const struct task *task, int levels, struct plan *plan, size_t *ret_result)
{
	struct remote *made = task->leader->remote;

	if (levels < 0)
		(void)restorer_plan_clone(plan, made, birth_flags(task), birth_signal(task), ret_result);
	else
		restorer_plan_clone_some(plan, made, birth_flags(task), birth_signal(task), (unsigned)levels,
					 ret_result);
}

int birth_plan(struct restore *r, const struct task *task, int levels, struct plan *plan, size_t *ret_result)
{
	const struct pid_space *own = task->restore->creator->pid_space, *space = space_at_birth(task);
	int there, back;

	if (space == own) {
		plan_clone(task, levels, plan, ret_result);
		return 0;
	}
	there = pid_space_file(r, space);
	TRY(there);
	back = pid_space_file(r, own);
	TRY(back);
	pid_space_plan_enter(r, there, plan);
	plan_clone(task, levels, plan, ret_result);
	pid_space_plan_enter(r, back, plan);
	return 0;
}

static int run_scripts(struct restore *r, enum action action)
{
	return r->facts->announced ? actions_run(r->options, r->listener, action, r->tree->root->pid) : 0;
}

int birth_fill_namespaces(struct restore *r)
{
	if (!r->facts->network_first)
		TRY(run_scripts(r, ACTION_SETUP_NAMESPACES));
	TRY(phase_restore_fill(r));
	if (r->facts->network_first)
		TRY(run_scripts(r, ACTION_SETUP_NAMESPACES));
	return run_scripts(r, ACTION_POST_SETUP_NAMESPACES);
}
