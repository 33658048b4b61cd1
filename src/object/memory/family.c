/* SPDX-License-Identifier: GPL-2.0-only */
/* What address spaces do in which phase. */
#include "base/fail.h"
#include "engine/family.h"
#include "object/file/file.h"
#include "object/memory/area-flags.h"
#include "object/memory/content-restore.h"
#include "object/memory/content.h"
#include "object/memory/content/small-tasks.h"
#include "object/memory/hole.h"
#include "object/memory/inspect.h"
#include "object/memory/lazy-restore.h"
#include "object/memory/lent/lent.h"
#include "object/memory/live/ahead.h"
#include "object/memory/live/early.h"
#include "object/memory/live/live.h"
#include "object/memory/mappings-restore.h"
#include "object/memory/mappings.h"
#include "object/memory/memory.h"
#include "object/memory/shared.h"
#include "object/memory/track.h"
#include "object/memory/vdso/vdso.h"

static int prepare_dump(struct dump *d)
{
	TRY(memory_track_begin(d));
	TRY(memory_guards_learn(d));
	if (d->options->live)
		return memory_live_prepare(d);
	memory_flags_learn(d, false);
	return 0;
}

/* The first thing in the freeze: before criu itself maps anything of theirs. */
static int identify_task(const struct dump *d, struct task *task)
{
	if (d->options->live)
		memory_early_check(d);
	return 0;
}

static int find_trackers(const struct dump *d, struct task *task)
{
	if (d->options->live) {
		memory_ahead_find(d, task);
		memory_early_find(d, task);
	}
	return memory_track_find(d, task);
}

/* Tasks that run on are tracked from now on, or have nothing of ours any more. */
static int track_task(struct dump *d, struct task *task)
{
	return d->options->end == OPT_END_KILL ? 0 : memory_track_prepare(d, task, d->options->track_mem);
}

static int renew_tracker(struct dump *d, struct task *task)
{
	return d->options->end == OPT_END_KILL ? 0 : memory_track_renew(d, task);
}

static int write_rest(struct dump *d)
{
	TRY(small_tasks_save(d));
	return memory_dump_finish(d);
}

static void end_dump(struct dump *d)
{
	struct task *task;

	if (d->options->live && d->tree)
		memory_live_end(d);
	if (d->tree)
		for_each_task(task, d->tree)
			if (task->dump)
				mappings_done(&task->dump->mappings);
}

static int tell_needs(const struct restore *r)
{
	return memory_restore_needs(r);
}

/* Room for the arena and, behind it, for the vdso. */
static int find_room(struct restore *r)
{
	uint64_t size;

	TRY(memory_find_hole(r, ARENA_SIZE, ARENA_SMALL, PARKING_SIZE, &r->arena_start, &size));
	r->parking = r->arena_start + size;
	r->parking_end = r->parking + PARKING_SIZE;
	return 0;
}

static int plan_empty(struct restore *r, struct task *root, struct plan *plan)
{
	return memory_plan_empty(r, plan);
}

static bool has_own_memory(const struct task *task)
{
	return task_is_live(task) && !task->restore->memory_from;
}

static int plan_private(struct restore *r, struct task *task, struct plan *plan)
{
	return has_own_memory(task) ? memory_plan_private(r, task, plan) : 0;
}

static int fill_memory(struct restore *r, struct task *task)
{
	if (!has_own_memory(task))
		return 0;
	memory_private_done(r, task);
	return memory_fill(r, task);
}

static int complete_memory(struct restore *r, struct task *task)
{
	if (has_own_memory(task))
		TRY(memory_lent_end(r, task));
	return memory_lazy_register(r, task);
}

static int plan_rest(struct restore *r, struct task *task, struct plan *plan)
{
	return has_own_memory(task) ? memory_plan_rest(r, task, plan) : 0;
}

static void memory_furnished(struct restore *r, struct task *task)
{
	if (has_own_memory(task))
		memory_rest_done(r, task);
}

/* Its task has taken it. */
static int put_programs(struct restore *r)
{
	struct task *task;

	for_each_task(task, r->tree) {
		struct memory_restore *memory =
			task_is_live(task) && has_own_memory(task) ? memory_restore_of(task) : NULL;

		if (memory && memory->exe)
			file_put(r, memory->exe);
		if (memory)
			memory->exe = NULL;
	}
	return 0;
}

const struct object_family memory_family = {
	.name = "memory",
	.dump_prepare = prepare_dump,
	.dump_identify = identify_task,
	.dump_mappings = find_trackers,
	.dump_track = track_task,
	.dump_memory = memory_dump_mappings,
	.dump_content = memory_dump_content,
	.dump_write = write_rest,
	.dump_renew = renew_tracker,
	.dump_end = end_dump,
	.restore_self = vdso_find_own,
	.restore_link = memory_restore_load,
	.restore_needs = tell_needs,
	.restore_copies = memory_restore_copies,
	.restore_inspect = memory_restore_inspect,
	.restore_connect = memory_lazy_begin,
	.restore_make = find_room,
	.restore_empty = plan_empty,
	.restore_enter = plan_private,
	.restore_content = fill_memory,
	.restore_complete = complete_memory,
	.restore_furnish = plan_rest,
	.restore_furnished = memory_furnished,
	.restore_settle = put_programs,
	.restore_clean = memory_restore_clean,
	.restore_resumed = memory_lazy_finish,
	.restore_end = memory_restore_clean,
};
