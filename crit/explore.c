/* SPDX-License-Identifier: GPL-2.0-only */
/* Reports on a whole image directory: the tree of its tasks, and which of the other reports is wanted. */
#include "crit/explore.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/pool.h"
#include "base/table.h"
#include "crit/crit.h"
#include "image/blocks/store-blocks.h"
#include "image/image.h"
#include "image/inventory.h"
#include "image/record.h"
#include "image/store.h"

enum task_state { STATE_ALIVE = 1, STATE_DEAD = 2, STATE_STOPPED = 3 };

bool task_is_dead(const struct crit_task *task)
{
	return task->core->tc && task->core->tc->task_state == STATE_DEAD;
}

static int load_core(struct store *store, uint32_t tid, CoreEntry **ret)
{
	int error = image_read_one(store, IMAGE_CORE, ret, tid);

	return error == -ENOENT ? refuse(ENOENT, "core-%u.img is missing", tid) : error;
}

static int load_tasks(struct checkpoint *checkpoint)
{
	AUTO(image_close) struct image *image = NULL;
	PstreeEntry *entry;
	int more = image_open(checkpoint->store, &image, IMAGE_PSTREE);

	if (more == -ENOENT)
		return refuse(ENOENT,
			      "there is no pstree.img: not an images directory, or of a dump that did not finish");
	TRY(more);
	while ((more = image_read(image, &entry)) > 0) {
		struct crit_task *task = vector_push(&checkpoint->tasks);

		*task = (struct crit_task){ .entry = entry };
		TRY(load_core(checkpoint->store, entry->pid, &task->core));
	}
	return more;
}

static const char *name_of(const CoreEntry *core)
{
	if (core->tc && core->tc->comm)
		return core->tc->comm;
	return core->thread_core && core->thread_core->comm ? core->thread_core->comm : "?";
}

const char *task_name(const struct crit_task *task)
{
	return name_of(task->core);
}

const char *task_state_name(const struct crit_task *task)
{
	switch (task->core->tc ? task->core->tc->task_state : 0) {
	case STATE_ALIVE:
		return "alive";
	case STATE_DEAD:
		return "zombie";
	case STATE_STOPPED:
		return "stopped";
	default:
		return "?";
	}
}

#define COLUMNS 24 /* in front of the name */

static void add_columns(const struct crit_task *task, struct buffer *out)
{
	buffer_printf(out, "%7u%7u%7u   %*s%s", task->entry->pid, task->entry->pgid, task->entry->sid,
		      (int)(4 * task->depth), "", name_of(task->core));
}

static void add_state(const struct crit_task *task, struct buffer *out)
{
	const PstreeEntry *entry = task->entry;

	buffer_printf(out, " (%s", task_state_name(task));
	if (task_is_dead(task) && WIFSIGNALED(task->core->tc->exit_code))
		buffer_printf(out, ", killed by signal %d", WTERMSIG(task->core->tc->exit_code));
	else if (task_is_dead(task))
		buffer_printf(out, ", exit code %d", WEXITSTATUS(task->core->tc->exit_code));
	if (entry->sid == entry->pid)
		buffer_printf(out, ", session leader");
	else if (entry->pgid == entry->pid)
		buffer_printf(out, ", group leader");
	buffer_printf(out, ")\n");
}

/* The threads behind the leader, after so many blanks; the list of a zombie means nothing. */
static int list_threads(const struct checkpoint *checkpoint, const struct crit_task *task, unsigned indent,
			struct buffer *out)
{
	for (size_t i = 0; i < task->entry->n_threads && !task_is_dead(task); i++) {
		CoreEntry *core;

		if (task->entry->threads[i] == task->entry->pid)
			continue;
		TRY(load_core(checkpoint->store, task->entry->threads[i], &core));
		buffer_printf(out, "%*s- thread %u %s\n", (int)(indent + 4 * task->depth + 2), "",
			      task->entry->threads[i], name_of(core));
	}
	return 0;
}

static int list_tree(const struct checkpoint *checkpoint, const struct crit_task *task, struct buffer *out)
{
	buffer_printf(out, "%*s%u %s", (int)(4 * task->depth), "", task->entry->pid, name_of(task->core));
	add_state(task, out);
	return list_threads(checkpoint, task, 0, out);
}

/* To programs ps gives the lines that they know, and nothing else; people see states and threads as well. */
static int list_for_people(const struct checkpoint *checkpoint, const struct crit_task *task, struct buffer *out)
{
	add_columns(task, out);
	add_state(task, out);
	return list_threads(checkpoint, task, COLUMNS, out);
}

static int list_for_programs(const struct checkpoint *checkpoint, const struct crit_task *task, struct buffer *out)
{
	add_columns(task, out);
	buffer_printf(out, "\n");
	return 0;
}

/* Only their depths are wanted. */
static int list_nothing(const struct checkpoint *checkpoint, const struct crit_task *task, struct buffer *out)
{
	return 0;
}

typedef int list_function(const struct checkpoint *checkpoint, const struct crit_task *task, struct buffer *out);

/* The task and below it its children, in the order of the image. */
static int list_below(struct checkpoint *checkpoint, struct crit_task *task, unsigned depth, list_function *list,
		      struct buffer *out)
{
	task->listed = true;
	task->depth = depth;
	TRY(list(checkpoint, task, out));
	for (size_t i = 0; i < checkpoint->tasks.n; i++) {
		struct crit_task *child = &checkpoint->tasks.items[i];

		if (!child->listed && child->entry->ppid == task->entry->pid)
			TRY(list_below(checkpoint, child, depth + 1, list, out));
	}
	return 0;
}

static bool has_parent(const struct checkpoint *checkpoint, const struct crit_task *task)
{
	for (size_t i = 0; i < checkpoint->tasks.n; i++) {
		if (checkpoint->tasks.items[i].entry->pid == task->entry->ppid)
			return true;
	}
	return false;
}

/* Roots first; what is still left then is its own ancestor, which a damaged image can say. */
static int list_all(struct checkpoint *checkpoint, list_function *list, struct buffer *out)
{
	for (unsigned round = 0; round < 2; round++) {
		for (size_t i = 0; i < checkpoint->tasks.n; i++) {
			struct crit_task *task = &checkpoint->tasks.items[i];

			if (!task->listed && (round == 1 || !has_parent(checkpoint, task)))
				TRY(list_below(checkpoint, task, 0, list, out));
		}
	}
	return 0;
}

static int list_each(struct checkpoint *checkpoint, list_function *list, struct buffer *out)
{
	for (size_t i = 0; i < checkpoint->tasks.n; i++) {
		const struct crit_task *task = &checkpoint->tasks.items[i];
		LOG_SCOPE("task %u (%s)", task->entry->pid, name_of(task->core));

		buffer_printf(out, "%u\n", task->entry->pid);
		if (!task_is_dead(task))
			TRY(list(checkpoint, task, out));
	}
	return 0;
}

/* Images of version 1.0 look different: the inventory says so. Without one the reader accepts both. */
static int load_version(struct checkpoint *checkpoint)
{
	AUTO(image_close) struct image *image = NULL;
	struct inventory inventory;
	int error = image_open(checkpoint->store, &image, IMAGE_INVENTORY);

	return error == -ENOENT ? 0 : error ?: inventory_read(checkpoint->store, &inventory);
}

static int report_checkpoint(struct checkpoint *checkpoint, const char *what, struct buffer *out)
{
	static const struct {
		const char *what;
		list_function *list;
	} reports[] = { { "fds", explore_files }, { "mems", explore_mappings }, { "rss", explore_pages } };

	TRY(load_version(checkpoint));
	TRY(load_tasks(checkpoint));
	if (strcmp(what, "ps") == 0) {
		buffer_printf(out, "%7s%7s%7s   %s\n", "PID", "PGID", "SID", "COMM");
		return list_all(checkpoint, isatty(STDOUT_FILENO) ? list_for_people : list_for_programs, out);
	}
	if (strcmp(what, "tree") == 0)
		return list_all(checkpoint, list_tree, out);
	TRY(checkpoint_load_files(checkpoint));
	if (strcmp(what, "picture") == 0) {
		TRY(list_all(checkpoint, list_nothing, out));
		return explore_picture(checkpoint, out);
	}
	for (size_t i = 0; i < ARRAY_SIZE(reports); i++) {
		if (strcmp(what, reports[i].what) == 0)
			return list_each(checkpoint, reports[i].list, out);
	}
	return -EINVAL;
}

int explore_checkpoint(int dir, const char *what, const char *key, struct buffer *out)
{
	struct checkpoint checkpoint = { .files = table_create() };
	int error = store_open_dir(dir, false, &checkpoint.store);

	if (error == 0)
		store_decrypt_with(checkpoint.store, key);
	if (error == 0)
		error = report_checkpoint(&checkpoint, what, out);
	vector_done(&checkpoint.tasks);
	table_destroy(&checkpoint.files);
	store_close(&checkpoint.store);
	return error;
}
