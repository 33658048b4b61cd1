/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages of small tasks: chosen by all CPUs, given their images one after the other, and copied by all CPUs. */
#include "object/memory/content/small-tasks.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/workers.h"
#include "object/memory/content.h"
#include "object/memory/content/count.h"
#include "object/memory/memory-state.h"
#include "object/memory/track.h"
#include "pages/sink-store.h"
#include "session/session.h"
#include "session/stats.h"

#define BUNCH 64 /* worth waking the workers; each has its memory and its image open */

struct small_task {
	struct task *task;
	int mem;
	uint64_t scanned; /* pages */
	page_range_list ranges;
	struct page_object object;
	struct page_sink *sink; /* its own */
};

struct small_tasks {
	size_t n;
	struct small_task items[BUNCH];
};

struct small_job {
	struct dump *d;
	struct small_task *items;
};

bool small_task_is(struct dump *d, const struct task *task)
{
	const struct options *options = d->options;

	/* What goes through a stream, or is compared with other pages, goes in its order. */
	return d->tree->n_tasks > 1 && !options->live && !options->lazy_pages && !options->equal_pages &&
	       !options->compression && !options->encrypt_to.n && !memory_dump_state(d)->parent &&
	       !task_tracking_of(task)->unwritten_known && memory_guess_size(task) < PAGE_SHARE_MIN &&
	       page_sink_takes_several(memory_sink(d));
}

static int choose_pages(void *arg, size_t number, unsigned worker)
{
	const struct small_job *job = arg;
	struct small_task *item = &job->items[number];

	LOG_SCOPE("task %d (%s)", item->task->vpid, item->task->comm);
	item->mem = openat(item->task->dump->proc, "mem", O_RDONLY | O_CLOEXEC);
	if (item->mem < 0)
		return fail_errno("cannot open its memory");
	return memory_find_pages(job->d, item->task, item->task->dump->proc, &item->ranges, &item->scanned);
}

static int copy_pages(void *arg, size_t number, unsigned worker)
{
	const struct small_job *job = arg;
	const struct small_task *item = &job->items[number];
	const struct page_source source = { .pid = item->task->pid, .mem = item->mem };

	LOG_SCOPE("task %d (%s)", item->task->vpid, item->task->comm);
	return pages_copy_alone(memory_dump_of(job->d)->mover, worker, &source, item->sink, item->ranges.items,
				item->ranges.n, item->object.size);
}

/* The numbers of pages images do not depend on who is the first to come to an end. */
static int give_image(struct dump *d, struct small_task *item)
{
	LOG_SCOPE("task %d (%s)", item->task->vpid, item->task->comm);
	d->stats->pages_scanned += item->scanned;
	memory_expect_pages(d, item->task, &item->ranges);
	item->sink = page_sink_beside(memory_sink(d));
	return pages_begin(item->sink, IMAGE_PAGEMAP, (uint64_t)item->task->vpid, item->ranges.items, item->ranges.n,
			   &item->object);
}

static int complete_image(struct dump *d, struct small_task *item)
{
	LOG_SCOPE("task %d (%s)", item->task->vpid, item->task->comm);
	memory_count_pages(d, &item->ranges);
	return item->sink->ops->close(item->sink);
}

static void forget_tasks(struct small_tasks *small)
{
	for (size_t i = 0; i < small->n; i++) {
		struct small_task *item = &small->items[i];

		page_sink_destroy(&item->sink);
		page_object_done(&item->object);
		vector_done(&item->ranges);
		if (item->mem >= 0)
			close(item->mem);
	}
	small->n = 0;
}

static int save_images(struct dump *d, struct small_tasks *small, struct small_job *job)
{
	for (size_t i = 0; i < small->n; i++)
		TRY(give_image(d, &small->items[i]));
	TRY(workers_run(d->workers, small->n, copy_pages, job));
	for (size_t i = 0; i < small->n; i++)
		TRY(complete_image(d, &small->items[i]));
	return 0;
}

int small_tasks_save(struct dump *d)
{
	struct small_tasks *small = memory_dump_state(d)->small;
	struct small_job job = { d, small ? small->items : NULL };
	int result;

	if (!small || !small->n)
		return 0;
	stats_start(d->stats, STATS_MEMDUMP);
	result = workers_run(d->workers, small->n, choose_pages, &job);
	stats_stop(d->stats, STATS_MEMDUMP);
	TRY(result);
	stats_start(d->stats, STATS_MEMWRITE);
	result = save_images(d, small, &job);
	stats_stop(d->stats, STATS_MEMWRITE);
	TRY(result);
	forget_tasks(small);
	return 0;
}

int small_task_add(struct dump *d, struct task *task)
{
	struct memory_dump *memory = memory_dump_state(d);

	if (!memory->small)
		memory->small = xzalloc(sizeof(*memory->small));
	memory->small->items[memory->small->n++] = (struct small_task){ .task = task, .mem = -1 };
	return memory->small->n < BUNCH ? 0 : small_tasks_save(d);
}

void small_tasks_destroy(struct small_tasks **small)
{
	if (*small)
		forget_tasks(*small);
	free(*small);
	*small = NULL;
}
