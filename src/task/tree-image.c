/* SPDX-License-Identifier: GPL-2.0-only */
/* pstree.img: a record for each task, parents before children. */
#include "task/tree-image.h"

#include "base/auto.h"
#include "base/fail.h"
#include "base/table.h"
#include "image/record.h"
#include "pstree.pb-c.h"
#include "task/pid-space-image.h"

#define PID_LIMIT (1 << 22) /* PID_MAX_LIMIT of the kernel */

int tree_write(struct store *store, const struct task_tree *tree)
{
	AUTO(image_close) struct image *image = NULL;
	struct task *task;
	struct thread *thread;

	TRY(image_create(store, &image, IMAGE_PSTREE));
	for_each_task(task, tree) {
		PstreeEntry entry = PSTREE_ENTRY__INIT;
		AUTO_FREE uint32_t *tids = xmalloc(task->n_threads * sizeof(*tids));

		entry.pid = (uint32_t)task->vpid;
		entry.ppid = task->parent ? (uint32_t)task->parent->vpid : 0;
		entry.pgid = (uint32_t)task->vpgid;
		entry.sid = (uint32_t)task->vsid;
		entry.has_joined = entry.joined = task->is_joined;
		entry.threads = tids;
		for_each_thread(thread, task)
			tids[entry.n_threads++] = (uint32_t)thread->vtid;
		pid_space_write(tree->pool, task, &entry);
		TRY(image_write(image, &entry));
	}
	return image_finish(&image);
}

static int check_pid(const PstreeEntry *entry, struct table *seen, uint32_t pid)
{
	if (pid == 0 || pid > PID_LIMIT)
		return refuse(EINVAL, "pstree.img: task %u: %u is no valid pid or tid", entry->pid, pid);
	if (table_set(seen, pid, seen))
		return refuse(EINVAL, "pstree.img: pid or tid %u stands twice", pid);
	return 0;
}

static int check_parent(const struct task_tree *tree, const PstreeEntry *entry, const struct task *parent)
{
	if (entry->ppid && !parent)
		return refuse(EINVAL, "pstree.img: task %u comes before its parent %u", entry->pid, entry->ppid);
	if (entry->joined && (entry->ppid || !tree->root))
		return refuse(EINVAL, "pstree.img: task %u cannot be a further root: the image is damaged", entry->pid);
	if (!entry->ppid && !entry->joined && tree->root)
		return refuse(EINVAL, "pstree.img: there are two roots, %d and %u", tree->root->vpid, entry->pid);
	return 0;
}

static int add_entry(struct task_tree *tree, const PstreeEntry *entry, struct table *tasks, struct table *seen)
{
	struct task *parent = entry->ppid ? table_find(tasks, entry->ppid) : NULL;
	struct task *task;

	TRY(check_parent(tree, entry, parent));
	TRY(check_pid(entry, seen, entry->pid));
	task = task_tree_add(tree, parent, (pid_t)entry->pid);
	task->vsid = (pid_t)entry->sid;
	task->vpgid = (pid_t)entry->pgid;
	if (entry->sid > PID_LIMIT || entry->pgid > PID_LIMIT)
		return refuse(EINVAL, "pstree.img: task %u: bad session %u or group %u", entry->pid, entry->sid,
			      entry->pgid);
	(void)table_set(tasks, entry->pid, task); /* no older value: check_pid() */
	/* The leader comes first in the list. A zombie's list has one number that means nothing. */
	for (size_t i = 1; i < entry->n_threads; i++) {
		TRY(check_pid(entry, seen, entry->threads[i]));
		task_add_thread(tree, task, (pid_t)entry->threads[i]);
	}
	return pid_space_read(tree, task, entry, seen);
}

int tree_read(struct store *store, struct task_tree *tree)
{
	AUTO(image_close) struct image *image = NULL;
	AUTO(table_destroy) struct table *tasks = table_create();
	AUTO(table_destroy) struct table *seen = table_create();
	PstreeEntry *entry;
	int more = image_open(store, &image, IMAGE_PSTREE);

	if (more == -ENOENT)
		return refuse(ENOENT, "pstree.img is missing: the checkpoint is not complete");
	TRY(more);
	while ((more = image_read(image, &entry)) > 0)
		TRY(add_entry(tree, entry, tasks, seen));
	TRY(more);
	if (!tree->root)
		return refuse(EINVAL, "pstree.img holds no task");
	pid_spaces_find_first(tree);
	return 0;
}
