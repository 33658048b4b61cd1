/* SPDX-License-Identifier: GPL-2.0-only */
/* What pstree.img tells of pid namespaces within that of the tree. A tree without any has none of these fields. */
#include "task/pid-space-image.h"

#include "base/fail.h"
#include "base/table.h"

#define DEPTH_MAX 32	    /* MAX_PID_NS_LEVEL of the kernel */
#define PID_LIMIT (1 << 22) /* PID_MAX_LIMIT */

/* --- dump --- */

static void write_chain(struct pool *pool, const struct pid_space *space, size_t *ret_n, uint32_t **ret)
{
	if (!space)
		return;
	*ret_n = space->depth;
	*ret = pool_array(pool, uint32_t, space->depth);
	for (; space; space = space->parent)
		(*ret)[space->depth - 1] = space->id;
}

static PstreeNumbers *write_numbers(struct pool *pool, const pid_t *numbers, unsigned depth)
{
	PstreeNumbers *record = pool_new(pool, PstreeNumbers);

	pstree_numbers__init(record);
	record->n_numbers = depth;
	record->numbers = pool_array(pool, uint32_t, depth);
	for (unsigned i = 0; i < depth; i++)
		record->numbers[i] = (uint32_t)numbers[i];
	return record;
}

void pid_space_write(struct pool *pool, const struct task *task, PstreeEntry *entry)
{
	const struct thread *thread;
	unsigned depth = task->pid_space ? task->pid_space->depth : 0;

	entry->has_children_unborn = entry->children_unborn = task->children_unborn;
	if (task->children_space != task->pid_space)
		write_chain(pool, task->children_space, &entry->n_children_spaces, &entry->children_spaces);
	if (!depth)
		return;
	write_chain(pool, task->pid_space, &entry->n_pid_spaces, &entry->pid_spaces);
	entry->inner = pool_array(pool, PstreeNumbers *, task->n_threads);
	for_each_thread(thread, task)
		entry->inner[entry->n_inner++] = write_numbers(pool, thread->inner_tids, depth);
	entry->inner_sid = write_numbers(pool, task->inner_sids, depth);
	entry->inner_pgid = write_numbers(pool, task->inner_pgids, depth);
}

/* --- restore --- */

static int refuse_damage(const struct task *task, const char *what)
{
	return refuse(EINVAL, "pstree.img: task %d: %s: the image is damaged", task->vpid, what);
}

static struct pid_space *find_space(const struct task_tree *tree, uint32_t id)
{
	struct pid_space *space;

	for_each_pid_space(space, tree) if (space->id == id) return space;
	return NULL;
}

static int read_chain(struct task_tree *tree, const struct task *task, const uint32_t *ids, size_t n,
		      struct pid_space **ret)
{
	struct pid_space *space = NULL;

	if (n > DEPTH_MAX)
		return refuse_damage(task, "its pid namespaces are too deep");
	for (size_t i = 0; i < n; i++) {
		struct pid_space *next = find_space(tree, ids[i]);

		if (!next) {
			next = pid_space_add(tree, space);
			next->id = ids[i];
		}
		if (!ids[i] || next->parent != space)
			return refuse_damage(task, "its pid namespaces do not lie within each other as others say");
		space = next;
	}
	*ret = space;
	return 0;
}

static int read_numbers(struct task_tree *tree, const struct task *task, const PstreeNumbers *record, bool may_be_none,
			pid_t **ret)
{
	unsigned depth = task->pid_space->depth;

	if (!record || record->n_numbers != depth)
		return refuse_damage(task, "numbers in its pid namespaces are missing");
	*ret = pool_array(tree->pool, pid_t, depth);
	for (unsigned i = 0; i < depth; i++) {
		if (record->numbers[i] > PID_LIMIT || (!record->numbers[i] && !may_be_none))
			return refuse_damage(task, "a number in its pid namespaces is none");
		(*ret)[i] = (pid_t)record->numbers[i];
	}
	return 0;
}

/* The kernel has each number of a namespace once. */
static int check_single(const struct task *task, const struct thread *thread, struct table *seen)
{
	for (const struct pid_space *space = task->pid_space; space; space = space->parent)
		if (table_set(seen, (uint64_t)space->id << 32 | (uint32_t)thread_tid_in(thread, space), seen))
			return refuse_damage(task, "a number in its pid namespaces stands twice");
	return 0;
}

int pid_space_read(struct task_tree *tree, struct task *task, const PstreeEntry *entry, struct table *seen)
{
	struct thread *thread;
	size_t i = 0;

	task->children_unborn = entry->children_unborn;
	TRY(read_chain(tree, task, entry->pid_spaces, entry->n_pid_spaces, &task->pid_space));
	TRY(read_chain(tree, task, entry->children_spaces, entry->n_children_spaces, &task->children_space));
	if (!entry->n_children_spaces)
		task->children_space = task->pid_space;
	if (!pid_space_is_within(task->children_space, task->pid_space))
		return refuse_damage(task, "the pid namespace of its children lies outside of its own");
	if (!task->pid_space)
		return 0;
	for_each_thread(thread, task) {
		TRY(read_numbers(tree, task, i < entry->n_inner ? entry->inner[i] : NULL, false, &thread->inner_tids));
		TRY(check_single(task, thread, seen));
		i++;
	}
	TRY(read_numbers(tree, task, entry->inner_sid, true, &task->inner_sids));
	return read_numbers(tree, task, entry->inner_pgid, true, &task->inner_pgids);
}
