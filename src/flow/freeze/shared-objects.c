/* SPDX-License-Identifier: GPL-2.0-only */
/* What threads have in common, seen for all of them at once: struct shared_objects. */
#include "flow/freeze/shared-objects.h"

#include "base/auto.h"
#include "kern/task-iter.h"
#include "kern/proc/proc.h"
#include "kern/proc/stat.h"

#define TASKS_FEW 8 /* more are found among all processes of the machine */

void shared_objects_prepare(struct dump *d)
{
	AUTO_CLOSE int proc = -1;
	struct proc_stat stat;

	if (d->options->tell_timeout)
		return; /* foresee_tree() has counted all threads */
	proc = proc_open(d->options->pid);
	if (proc >= 0 && proc_stat_read(proc, &stat) == 0 && stat.threads >= TASK_ITER_WORTH)
		(void)task_iter_prepare(d->task_iter);
}

static const struct thread *shared_with(uint64_t object, uint64_t of_model, const struct thread *model)
{
	return object && object == of_model ? model : NULL;
}

static void compare_facts(const struct task_facts_list *list, struct thread *thread, const struct thread *model)
{
	const struct task_facts *its = task_facts_find(list, thread->tid),
				*of_model = task_facts_find(list, model->tid);

	if (thread == model || !its || !of_model || !thread->dump)
		return;
	thread->dump->shares = (struct shared_objects){
		.namespaces = shared_with(its->namespaces, of_model->namespaces, model),
		.cgroups = shared_with(its->cgroups, of_model->cgroups, model),
		.files = shared_with(its->files, of_model->files, model),
		.fs = shared_with(its->fs, of_model->fs, model),
	};
}

static void compare_threads(struct task *task, const struct task_facts_list *list)
{
	struct thread *thread;

	for_each_thread(thread, task)
		if (thread != task->leader)
			compare_facts(list, thread, task->leader);
}

/* More sorts of threads are asked one by one. */
#define MODELS_MAX 8

/* Credentials have the keyrings, the securebits and the rules of Landlock, flags how the CPU may speculate. */
static bool are_alike(const struct task_facts *a, const struct task_facts *b)
{
	return a->credentials == b->credentials && a->atomic_flags == b->atomic_flags &&
	       a->thread_flags == b->thread_flags && a->flags == b->flags && a->seccomp == b->seccomp;
}

static const struct thread *find_like(const struct task_facts *its, const struct thread *const *models, unsigned n,
				      const struct task_facts_list *list)
{
	for (unsigned i = 0; i < n; i++)
		if (are_alike(its, task_facts_find(list, models[i]->tid)))
			return models[i];
	return NULL;
}

/* Of many threads only the first of each sort is asked itself. */
static void find_told(struct dump *d, struct task *task, const struct task_facts_list *list)
{
	const struct thread *models[MODELS_MAX];
	struct thread *thread;
	unsigned n = 0;

	for_each_thread(thread, task) {
		const struct task_facts *its = task_facts_find(list, thread->tid);
		const struct thread *like = NULL;

		if (!its || !its->knows_own || !thread->dump)
			continue;
		thread->dump->own = pool_copy(d->pool, &its->own, sizeof(its->own));
		if (thread != task->leader && !its->own.has_memory_policy)
			like = find_like(its, models, n, list);
		if (!like && n < MODELS_MAX)
			models[n++] = thread;
		thread->dump->like = like;
	}
}

static bool are_all_known(const struct task_tree *tree, const struct task_facts_list *list)
{
	struct task *task;

	for_each_task(task, tree) {
		const struct task_facts *its = task_is_live(task) ? task_facts_find(list, task->pid) : NULL;

		if (task_is_live(task) && (!its || !its->memory || !its->files || !its->fs || !its->handlers))
			return false;
	}
	return true;
}

static void keep_hints(struct dump *d, const struct task_facts_list *list)
{
	struct task *task;

	if (!are_all_known(d->tree, list))
		return;
	for_each_task(task, d->tree) {
		const struct task_facts *its = task_is_live(task) ? task_facts_find(list, task->pid) : NULL;

		if (its)
			task->dump->hints = (struct object_hints){ its->memory, its->files, its->fs, its->handlers };
	}
}

static void look_at_each(struct dump *d, struct task_facts_list *list)
{
	struct task *task;

	for_each_task(task, d->tree)
		if (task_is_live(task) && task->n_threads > 1 && task_iter_read(d->task_iter, task->pid, list)) {
			compare_threads(task, list);
			find_told(d, task, list);
		}
}

static void look_at_all(struct dump *d, struct task_facts_list *list)
{
	struct task *task;

	if (!task_iter_read(d->task_iter, 0, list))
		return;
	keep_hints(d, list);
	for_each_task(task, d->tree) {
		if (!task_is_live(task))
			continue;
		compare_facts(list, task->leader, d->tree->root->leader);
		compare_threads(task, list);
		find_told(d, task, list);
	}
}

void shared_objects_find(struct dump *d)
{
	AUTO(task_facts_done) struct task_facts_list list = { 0 };

	if (d->progress->tasks_run || d->tree->n_threads < TASK_ITER_WORTH)
		return;
	(d->tree->n_tasks <= TASKS_FEW ? look_at_each : look_at_all)(d, &list);
}
