/* SPDX-License-Identifier: GPL-2.0-only */
/* Every record of every image is read and checked before the first task exists. */
#include "flow/restore/load.h"

#include <errno.h>
#include <stdio.h>

#include "arch_regs.h"
#include "base/auto.h"
#include "base/fail.h"
#include "engine/engine.h"
#include "flow/restore/ancestry.h"
#include "image/inventory.h"
#include "image/read-ahead.h"
#include "image/record.h"
#include "session/survey.h"
#include "task/tree-image.h"

static int refuse_missing(int error, const char *image, pid_t id)
{
	if (error != -ENOENT)
		return error;
	return refuse(ENOENT, "%s-%d.img is missing: the checkpoint is not complete", image, id);
}

static int load_core(struct restore *r, struct thread *thread)
{
	int error = image_read_one(r->store, IMAGE_CORE, &thread->core, (uint64_t)thread->vtid);

	if (error < 0)
		return refuse_missing(error, "core", thread->vtid);
	thread->tid = 0;
	thread->restore = pool_new(r->pool, struct thread_restore);
	return 0;
}

static int load_leader(struct restore *r, struct task *task)
{
	const TaskCoreEntry *tc;

	TRY(load_core(r, task->leader));
	tc = task->leader->core->tc;
	if (!tc)
		return refuse(EINVAL, "core-%d.img lacks the part for the whole task", task->vpid);
	snprintf(task->comm, sizeof(task->comm), "%s", tc->comm);
	task->restore = pool_new(r->pool, struct task_restore);
	task->restore->proc = task->restore->pidfd = task->restore->coordinator_fd = -1;
	switch (tc->task_state) {
	case TASK_ALIVE:
	case TASK_STOPPED:
	case TASK_DEAD:
		task->state = (enum task_state)tc->task_state;
		return 0;
	case 6: /* never written, but it means a zombie */
		task->state = TASK_DEAD;
		return 0;
	}
	return refuse(EINVAL, "core-%d.img: unknown task state %u", task->vpid, tc->task_state);
}

static int load_live(struct restore *r, struct task *task)
{
	struct thread *thread;
	int error;

	for_each_thread(thread, task) {
		if (thread != task->leader)
			TRY(load_core(r, thread));
		if (!thread->core->thread_core)
			return refuse(EINVAL, "core-%d.img lacks the part for the thread", thread->vtid);
		error = arch_state_from_core(thread->core, r->pool, &thread->restore->state);
		/* Another CPU may do: a survey goes on. */
		if (error != -EOPNOTSUPP || !r->needs)
			TRY(error);
	}
	error = image_read_one(r->store, IMAGE_IDS, &task->ids, (uint64_t)task->vpid);
	if (error == -ENOENT && task->leader->core->ids)
		task->ids = task->leader->core->ids; /* older images */
	else if (error < 0)
		return refuse_missing(error, "ids", task->vpid);
	error = image_read_one(r->store, IMAGE_MM, &task->mm, (uint64_t)task->vpid);
	return error < 0 ? refuse_missing(error, "mm", task->vpid) : 0;
}

static int load_task(struct restore *r, struct task *task)
{
	LOG_SCOPE("task %d", task->vpid);
	TRY(load_leader(r, task));
	if (!task_is_live(task))
		return 0;
	return load_live(r, task);
}

/* Who shares its address space or its descriptors with whom: the first in the tree is the owner. */
static void find_owners(struct restore *r)
{
	struct task *task, *other;

	for_each_task(task, r->tree) {
		if (!task_is_live(task))
			continue;
		for_each_task(other, r->tree) {
			if (other == task)
				break;
			if (!task_is_live(other))
				continue;
			if (!task->restore->memory_from && other->ids->vm_id == task->ids->vm_id)
				task->restore->memory_from = other;
			if (!task->restore->files_from && other->ids->files_id == task->ids->files_id)
				task->restore->files_from = other;
		}
	}
}

/* For criu verify, which goes on where a restore has ended. Its registers may be of another CPU: nobody here wants
 * them. */
static bool is_loaded(const struct thread *thread)
{
	const struct task *task = thread->task;

	return task->restore && task->leader->core && thread->core &&
	       (!task_is_live(task) || (task->ids && task->mm && thread->core->thread_core));
}

static int check_threads(struct restore *r)
{
	struct task *task;
	struct thread *thread;

	for_each_task(task, r->tree) {
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		if (!task_is_live(task)) {
			if (is_loaded(task->leader))
				TRY(restore_go_on(r, phase_restore_check(r, task->leader)));
			continue;
		}
		for_each_thread(thread, task)
			if (is_loaded(thread))
				TRY(restore_go_on(r, phase_restore_check(r, thread)));
	}
	return 0;
}

static int load_inventory(struct restore *r)
{
	r->inventory = pool_new(r->pool, struct inventory);
	TRY(restore_go_on(r, inventory_read(r->store, r->inventory)));
	if (!r->needs)
		TRY(inventory_check_options(r->inventory, r->options->tcp_close, r->options->allow_uprobes));
	if (r->inventory->pre_dump_mode)
		return refuse(EOPNOTSUPP, "these are the images of a pre-dump, which hold memory only: restore from "
					  "the dump that followed it");
	return 0;
}

/* A thread for that takes as long as the images of some tasks. */
#define READ_AHEAD_MIN 16

/* In the order in which they are wanted: by load_tasks(), by the parts of tasks, by their memory. */
static void read_ahead(const struct restore *r)
{
	const struct task *task;

	if (r->tree->n_tasks < READ_AHEAD_MIN)
		return;
	for_each_task(task, r->tree) {
		read_ahead_add(r->store, IMAGE_CORE, (uint64_t)task->vpid);
		read_ahead_add(r->store, IMAGE_IDS, (uint64_t)task->vpid);
		read_ahead_add(r->store, IMAGE_MM, (uint64_t)task->vpid);
	}
	for_each_task(task, r->tree)
		read_ahead_add(r->store, IMAGE_FS, (uint64_t)task->vpid);
	for_each_task(task, r->tree)
		read_ahead_add(r->store, IMAGE_PAGEMAP, (uint64_t)task->vpid);
	read_ahead_begin(r->store);
}

static int load_tasks(struct restore *r)
{
	struct task *task;

	TRY(tree_read(r->store, r->tree));
	read_ahead(r);
	for_each_task(task, r->tree)
		TRY(restore_go_on(r, load_task(r, task)));
	if (r->progress->damage)
		return 0;
	if (!task_is_live(r->tree->root))
		return refuse(EINVAL, "the root task %d is a zombie: there is nothing to restore", r->tree->root->vpid);
	find_owners(r);
	return 0;
}

static int load_all(struct restore *r)
{
	TRY(phase_restore_self(r));
	TRY(phase_pass_restore(r, PHASE_restore_inventory, NULL, NULL));
	TRY(load_inventory(r));
	TRY(load_tasks(r));
	TRY(phase_restore_load(r));
	TRY(check_threads(r));
	if (r->progress->damage)
		return r->progress->damage;
	TRY(phase_restore_link(r));
	if (r->progress->damage)
		return r->progress->damage;
	return ancestry_plan(r);
}

int restore_load(struct restore *r)
{
	int error = load_all(r);

	read_ahead_end(r->store);
	return error;
}
