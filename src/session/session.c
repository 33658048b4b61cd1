/* SPDX-License-Identifier: GPL-2.0-only */
/* What all sessions begin and end with. */
#include "session/session.h"

#include <unistd.h>

#include "base/auto.h"
#include "base/meter.h"
#include "base/table.h"
#include "image/store.h"
#include "session/stats.h"

/* Nobody else knows what it is, so a const session gives no store. */
struct dump_output {
	struct store *store;
};

struct store *dump_store(struct dump *d)
{
	return d->output->store;
}

void dump_set_store(struct dump *d, struct store *store)
{
	d->output->store = store;
}

void dump_session_begin(struct dump *d, const struct options *options)
{
	d->options = options;
	d->pool = pool_create();
	d->output = pool_new(d->pool, struct dump_output);
	d->facts = pool_new(d->pool, struct facts);
	if (!d->progress)
		d->progress = pool_new(d->pool, struct progress);
	d->progress->acting = d;
	d->tree = task_tree_create();
	d->stats = pool_new(d->pool, struct stats);
	d->meter = pool_new(d->pool, struct meter);
	d->states = pool_new(d->pool, struct states);
}

static void end_dumped(struct task *task)
{
	struct thread *thread;

	for_each_thread(thread, task)
		if (thread->dump)
			states_destroy(&thread->dump->states);
	if (task->dump)
		states_destroy(&task->dump->states);
}

void dump_session_end(struct dump *d)
{
	struct task *task;

	if (d->tree)
		for_each_task(task, d->tree)
			end_dumped(task);
	states_destroy(d->states);
	meter_end(d->meter);
	if (d->output)
		store_close(&d->output->store);
	task_tree_destroy(&d->tree);
	if (d->progress)
		table_destroy(&d->progress->passed);
	pool_destroy(&d->pool);
}

void restore_session_begin(struct restore *r, const struct options *options)
{
	r->options = options;
	r->pool = pool_create();
	r->facts = pool_new(r->pool, struct facts);
	if (!r->progress)
		r->progress = pool_new(r->pool, struct progress);
	r->tree = task_tree_create();
	r->stats = pool_new(r->pool, struct stats);
	r->meter = pool_new(r->pool, struct meter);
	r->states = pool_new(r->pool, struct states);
	r->client = -1;
}

static void end_restored(struct task *task)
{
	if (!task->restore)
		return;
	states_destroy(&task->restore->states);
	if (task->restore->proc >= 0)
		close(task->restore->proc);
	if (task->restore->pidfd >= 0)
		close(task->restore->pidfd);
}

struct pool *restore_session_end_but_pool(struct restore *r)
{
	struct task *task;

	meter_end(r->meter);
	if (r->tree)
		for_each_task(task, r->tree)
			end_restored(task);
	states_destroy(r->states);
	auto_close(&r->client);
	store_close(&r->store);
	task_tree_destroy(&r->tree);
	if (r->progress)
		table_destroy(&r->progress->passed);
	return TAKE_PTR(r->pool);
}

void restore_session_end(struct restore *r)
{
	struct pool *pool = restore_session_end_but_pool(r);

	pool_destroy(&pool);
}
