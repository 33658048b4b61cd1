/* SPDX-License-Identifier: GPL-2.0-only */
/* What all tasks are: seen from outside, then told by themselves. */
#include "flow/dump/states.h"

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/workers.h"
#include "engine/engine.h"
#include "flow/dump/inside.h"
#include "flow/dump/task.h"
#include "object/memory/memory.h"
#include "session/survey.h"

struct mappings_job {
	const struct dump *d;
	struct task **tasks;
};

static int read_mappings(void *arg, size_t item, unsigned worker)
{
	const struct mappings_job *job = arg;
	struct task *task = job->tasks[item];

	LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
	return memory_read_mappings(job->d, task);
}

/* The kernel walks all page tables for that, so all CPUs have a part in it. */
static int read_all_mappings(struct dump *d)
{
	AUTO_FREE struct task **tasks = xmalloc(d->tree->n_tasks * sizeof(*tasks));
	struct mappings_job job = { d, tasks };
	struct task *task;
	size_t n = 0;

	if (d->progress->tasks_run)
		return 0; /* each is read when it is needed */
	for_each_task(task, d->tree)
		if (task_is_live(task) && !task->dump->unstopped)
			tasks[n++] = task;
	return workers_run(d->workers, n, read_mappings, &job);
}

/* What is known of each task after it was asked, or was not as no checkpoint will come of it. */
static int end_state(struct dump *d, struct task *task)
{
	struct thread *thread;

	LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
	TRY(dump_task_aside(d, task));
	if (!d->progress->only_look && task_is_live(task)) {
		for_each_thread(thread, task)
			TRY(phase_dump_again(d, thread));
		return phase_dump_track(d, task);
	}
	return d->progress->only_look && task->dump->can_tell ? dump_task_guess(d, task) : 0;
}

int dump_states(struct dump *d)
{
	struct task *task;

	TRY(read_all_mappings(d));
	for_each_task(task, d->tree) {
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		log_info("Dumping task %d (%s) with %u threads", task->vpid, task->comm, task->n_threads);
		TRY(dump_go_on(d, dump_task_state(d, task)));
	}
	if (!d->progress->only_look)
		TRY(dump_go_on(d, dump_inside(d)));
	for_each_task(task, d->tree)
		TRY(dump_go_on(d, end_state(d, task)));
	return 0;
}
