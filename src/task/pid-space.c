/* SPDX-License-Identifier: GPL-2.0-only */
/* Who has which number in which pid namespace within that of the tree. */
#include "task/pid-space.h"

struct pid_space *pid_space_add(struct task_tree *tree, struct pid_space *parent)
{
	struct pid_space *space = pool_new(tree->pool, struct pid_space), **end = &tree->pid_spaces;
	uint32_t id = 1;

	for (; *end; end = &(*end)->next)
		id++;
	*end = space;
	space->parent = parent;
	space->depth = parent ? parent->depth + 1 : 1;
	space->id = id;
	space->fd = -1;
	return space;
}

void pid_spaces_find_first(struct task_tree *tree)
{
	struct task *task;

	for_each_task(task, tree)
		if (task->pid_space && task_own_pid(task) == 1)
			task->pid_space->first = task;
}

bool pid_space_is_within(const struct pid_space *space, const struct pid_space *around)
{
	while (space && space != around)
		space = space->parent;
	return space == around;
}

pid_t thread_tid_in(const struct thread *thread, const struct pid_space *space)
{
	if (!space)
		return thread->vtid;
	return pid_space_is_within(thread->task->pid_space, space) ? thread->inner_tids[space->depth - 1] : 0;
}

pid_t thread_own_tid(const struct thread *thread)
{
	return thread_tid_in(thread, thread->task->pid_space);
}

pid_t task_own_pid(const struct task *task)
{
	return thread_own_tid(task->leader);
}

pid_t task_pid_for(const struct task *task, const struct task *viewer)
{
	return thread_tid_in(task->leader, viewer->pid_space);
}

pid_t task_own_pgid(const struct task_tree *tree, const struct task *task)
{
	const struct task *leader;

	if (!task->pid_space)
		return task->vpgid;
	leader = task_tree_find(tree, task->vpgid);
	return leader ? task_pid_for(leader, task) : 0;
}
