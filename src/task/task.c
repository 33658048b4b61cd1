/* SPDX-License-Identifier: GPL-2.0-only */
/* The process tree as a data structure. */
#include "task/task.h"

#include <string.h>

#include "base/fail.h"

struct task_tree *task_tree_create(void)
{
	struct pool *pool = pool_create();
	struct task_tree *tree = pool_new(pool, struct task_tree);

	tree->pool = pool;
	list_init(&tree->tasks);
	return tree;
}

void task_tree_destroy(struct task_tree **tree)
{
	struct pool *pool;

	if (!*tree)
		return;
	pool = (*tree)->pool;
	*tree = NULL;
	pool_destroy(&pool); /* the tree itself lies in it */
}

struct thread *task_add_thread(struct task_tree *tree, struct task *task, pid_t tid)
{
	struct thread *thread = pool_new(tree->pool, struct thread);

	thread->task = task;
	thread->vtid = tid;
	list_push(&task->threads, &thread->sibling);
	task->n_threads++;
	tree->n_threads++;
	return thread;
}

/* The last task of the subtree in the order of the list. */
static struct task *last_of_subtree(struct task *task)
{
	while (!list_empty(&task->children))
		task = list_entry(task->children.prev, struct task, sibling);
	return task;
}

struct task *task_tree_add(struct task_tree *tree, struct task *parent, pid_t pid)
{
	struct task *task = pool_new(tree->pool, struct task);

	list_init(&task->children);
	list_init(&task->sibling);
	list_init(&task->threads);
	task->parent = parent;
	task->vpid = pid;
	task->state = TASK_ALIVE;
	if (parent) {
		/* Depth first: behind everything that the parent has so far. */
		list_push_front(&last_of_subtree(parent)->all, &task->all);
		list_push(&parent->children, &task->sibling);
		task->vppid = parent->vpid;
	} else {
		list_push(&tree->tasks, &task->all);
		task->is_root = !tree->root;
		task->is_joined = tree->root;
		tree->n_joined += task->is_joined;
		tree->root = tree->root ?: task;
	}
	tree->n_tasks++;
	task->leader = task_add_thread(tree, task, pid);
	return task;
}

void task_tree_remove(struct task_tree *tree, struct task *task)
{
	list_remove(&task->sibling);
	list_remove(&task->all);
	tree->n_tasks--;
	tree->n_joined -= task->is_joined;
	tree->n_threads -= task->n_threads;
}

void task_remove_thread(struct task_tree *tree, struct thread *thread)
{
	list_remove(&thread->sibling);
	thread->task->n_threads--;
	tree->n_threads--;
}

const struct task *task_top(const struct task *task)
{
	while (task->parent)
		task = task->parent;
	return task;
}

bool task_is_of_joined(const struct task_tree *tree, const struct task *task)
{
	const struct task *leader = tree->n_joined ? task_tree_find(tree, task->vsid) : NULL;

	return task_top(task)->is_joined || (leader && task_top(leader)->is_joined);
}

struct task *task_tree_find(const struct task_tree *tree, pid_t vpid)
{
	struct task *task;

	for_each_task(task, tree)
		if (task->vpid == vpid)
			return task;
	return NULL;
}

struct thread *task_tree_find_thread(const struct task_tree *tree, pid_t vtid)
{
	struct task *task;
	struct thread *thread;

	for_each_task(task, tree)
		for_each_thread(thread, task)
			if (thread->vtid == vtid)
				return thread;
	return NULL;
}
