/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages that go into one stream: in the order in which a restore fills them in. */
#include "base/fail.h"
#include "object/memory/content.h"
#include "object/memory/memory-state.h"
#include "object/memory/memory.h"
#include "pages/sink-pipe.h"
#include "session/session.h"
#include "session/stats.h"

static int send_task(struct dump *d, const struct task *task)
{
	struct memory_dump *memory = memory_dump_state(d);
	int result;

	stats_start(d->stats, STATS_MEMWRITE);
	result = page_sink_pipe_send(memory_sink(d), memory->mover, IMAGE_PAGEMAP, (uint64_t)task->vpid);
	stats_stop(d->stats, STATS_MEMWRITE);
	return result;
}

/* All children of a task are made and filled before the first of them makes its own. */
static int send_children(struct dump *d, const struct task *task)
{
	const struct task *child;

	for_each_child(child, task)
		TRY(send_task(d, child));
	for_each_child(child, task)
		TRY(send_children(d, child));
	return 0;
}

int memory_send_pages(struct dump *d)
{
	struct memory_dump *memory = memory_dump_state(d);
	struct task *task;

	for (size_t i = 0; i < memory->objects.n; i++)
		if (memory->objects.items[i]->segment)
			TRY(page_sink_pipe_send(memory_sink(d), memory->mover, IMAGE_PAGEMAP_SHMEM,
						memory->objects.items[i]->record.shmid));
	for_each_task(task, d->tree) {
		if (task->parent)
			continue;
		TRY(send_task(d, task));
		TRY(send_children(d, task));
	}
	return page_sink_pipe_send_rest(memory_sink(d), memory->mover);
}
