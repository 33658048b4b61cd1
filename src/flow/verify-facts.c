/* SPDX-License-Identifier: GPL-2.0-only */
/* What is in a checkpoint: tasks, files by kind, memory, kernel features that it needs. */
#include "flow/verify-facts.h"

#include "flow/verify.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "arch_cpu.h"
#include "image/inventory.h"
#include "object/file/file.h"
#include "object/memory/memory.h"

static const char *state_of(const struct task *task)
{
	switch (task->state) {
	case TASK_ALIVE:
		return "running";
	case TASK_STOPPED:
		return "stopped";
	case TASK_DEAD:
		return "zombie";
	case TASK_HELPER:
		break;
	}
	return "?";
}

static void add_cpu_state(struct restore *r, struct verified *ret)
{
	struct task *task;
	struct thread *thread;
	uint64_t used = 0;

	for_each_task(task, r->tree)
		for_each_thread(thread, task)
			used |= thread->core ? arch_cpu_state_of(thread->core) : 0;
	arch_cpu_print_state(used, ret->cpu_state, sizeof(ret->cpu_state));
}

static void add_task(struct restore *r, const struct task *task, struct verified *ret)
{
	struct verified_task *new = vector_push(&ret->tasks);

	*new = (struct verified_task){
		.pid = task->vpid, .session = task->vsid, .group = task->vpgid, .state = state_of(task)
	};
	for (const struct task *up = task->parent; up; up = up->parent)
		new->depth++;
	new->parent = task->parent ? task->parent->vpid : 0;
	new->name = *task->comm ? pool_string(ret->pool, task->comm) : "?";
	new->threads = task->state == TASK_DEAD ? 0 : task->n_threads;
	ret->threads += new->threads;
	new->mappings = task->mm ? task->mm->n_vmas : 0;
	if (!ret->linked)
		return;
	new->descriptors = file_count_descriptors(r, task);
	new->memory = memory_size_of(task);
}

static void add_family(struct restore *r, const struct task *task, struct verified *ret)
{
	const struct task *child;

	if (task->state == TASK_HELPER)
		return;
	add_task(r, task, ret);
	for_each_child(child, task)
		add_family(r, child, ret);
}

/* --- files --- */

static void count_file(const struct file *f, struct verified *ret)
{
	const char *what = f->kind->describe ? f->kind->describe(f, ret->pool) : f->kind->name;

	for (size_t i = 0; i < ret->files.n; i++) {
		if (strcmp(ret->files.items[i].what, what) == 0) {
			ret->files.items[i].n++;
			return;
		}
	}
	*vector_push(&ret->files) = (struct verified_count){ what, 1 };
}

static void add_files(struct restore *r, struct verified *ret)
{
	size_t n;
	struct file *const *files = file_restore_all(r, &n);

	for (size_t i = 0; i < n; i++)
		if (files[i]->n_numbers)
			count_file(files[i], ret);
}

/* --- features --- */

/* What an ordinary user cannot do may be there all the same. */
static int ask_feature(struct probes *probes, enum feature_id id)
{
	int there = probe_result(probes, id);

	return there == 0 && geteuid() != 0 ? -EPERM : there;
}

void verify_add_features(struct restore *r, struct verified *ret)
{
	struct probes probes = { 0 };

	/* Every task is made with these. */
	need_feature(r, FEATURE_ID_clone3_set_tid);
	need_feature(r, FEATURE_ID_pidfd_store);
	for (enum feature_id id = 0; id < FEATURE_COUNT; id++)
		if (ret->needs.features[id])
			*vector_push(&ret->features) = (struct verified_feature){ id, ask_feature(&probes, id) };
}

void verify_collect_facts(struct restore *r, struct verified *ret)
{
	struct task *task;

	for_each_task(task, r->tree)
		if (!task->parent)
			add_family(r, task, ret);
	for (size_t i = 0; r->inventory && i < r->inventory->n_plugins; i++)
		*vector_push(&ret->plugins) = pool_string(ret->pool, r->inventory->plugins[i]);
	if (!ret->linked)
		return;
	add_files(r, ret);
	add_cpu_state(r, ret);
	ret->shared_memory = memory_size_of_shared(r, &ret->shared_objects);
}
