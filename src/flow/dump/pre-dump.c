/* SPDX-License-Identifier: GPL-2.0-only */
/* The story of a pre-dump: stop, find what was written to, track anew, let run, and only then copy. */
#include "flow/dump/pre-dump.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/meter.h"
#include "engine/engine.h"
#include "flow/dump/end.h"
#include "flow/dump/session.h"
#include "flow/dump/task.h"
#include "flow/dump/state.h"
#include "flow/freeze/freeze.h"
#include "flow/freeze/freezer.h"
#include "flow/freeze/thaw.h"
#include "flow/stats.h"
#include "flow/stream.h"
#include "image/inventory.h"
#include "image/record.h"
#include "image/store.h"
#include "object/memory/memory.h"
#include "plugin/plugin.h"
#include "session/session.h"
#include "session/stats.h"

static int choose_all(struct dump *d)
{
	struct task *task;

	TRY(phase_pass_dump(d, PHASE_dump_choose, NULL, NULL));
	for_each_task(task, d->tree) {
		if (!task_is_live(task))
			continue;
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		TRY(dump_task_look(d, task));
		TRY(memory_track_prepare(d, task, true));
		TRY(memory_dump_choose(d, task));
		TRY(memory_track_renew(d, task));
	}
	return 0;
}

static void let_run(struct dump *d)
{
	freezer_end(&flow_dump_of(d)->freezer);
	if (d->options->end == OPT_END_STOP)
		stop_tree(d);
	else
		thaw_tree(d);
	stats_stop(d->stats, STATS_FROZEN);
}

static int look_at_tasks(struct dump *d)
{
	TRY(freeze_tree(d));
	return choose_all(d);
}

static int copy_all(struct dump *d)
{
	struct task *task;

	TRY(phase_pass_dump(d, PHASE_dump_copy, NULL, NULL));
	meter_limit(d->meter, d->options->bandwidth);
	for_each_task(task, d->tree) {
		if (!memory_dump_has_chosen(task))
			continue;
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		TRY(memory_dump_copy(d, task));
	}
	return memory_dump_copied(d);
}

/* Paths of watched files would be kept here; they are found fast enough in the dump itself. */
static int write_irmap_cache(void)
{
	AUTO_CLOSE int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(store_close) struct store *store = NULL;
	AUTO(image_close) struct image *image = NULL;

	if (dir < 0)
		return fail_errno("the work directory cannot be opened");
	TRY(store_open_dir(dir, true, &store));
	TRY(image_create(store, &image, IMAGE_IRMAP_CACHE));
	TRY(image_write_head(image));
	return image_finish(&image);
}

static int write_rest(struct dump *d)
{
	TRY(write_irmap_cache());
	d->inventory->pre_dump_mode = d->options->pre_dump_mode == OPT_PRE_DUMP_READ ? 2 : 1;
	d->inventory->dump_uptime = clock_boot_us();
	return dump_write_inventory(d);
}

int pre_dump(const struct options *options, struct listener *listener, struct stats *ret)
{
	struct dump d = { .listener = listener };
	int error;

	interrupt_catch("the tasks run on; these images are not complete");
	error = dump_begin(&d, options);
	if (error == 0)
		error = dump_load_plugins(&d);
	if (error == 0) {
		error = look_at_tasks(&d);
		let_run(&d);
	}
	if (error == 0)
		error = copy_all(&d);
	if (error == 0)
		error = write_rest(&d);
	if (error == 0)
		error = stream_send(&d);
	if (error == 0)
		error = interrupt_check_last();
	if (error == 0)
		error = stream_commit(&d);
	meter_end(d.meter);
	plugins_done(&d.plugins, error);
	if (error == 0)
		(void)stats_write_dump(&d, options); /* logged; the images are complete without it */
	if (ret)
		*ret = *d.stats;
	dump_end(&d);
	if (error == 0)
		dump_free_parents(options);
	if (error < 0)
		log_error("Pre-dumping FAILED.");
	else
		log_info("Pre-dumping finished successfully");
	return error;
}
