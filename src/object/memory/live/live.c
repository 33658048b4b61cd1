/* SPDX-License-Identifier: GPL-2.0-only */
/* dump --live: private memory stays as it was, in a copy-on-write copy of its task, and is saved when the task runs.
 * What can be done before is done in huge.c and early.c. */
#include "object/memory/live/live.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "kern/proc/maps.h"
#include "kern/proc/proc.h"
#include "kern/proc/running.h"
#include "lib/compel/copy.h"
#include "object/memory/content.h"
#include "object/memory/live/ahead.h"
#include "object/memory/live/early.h"
#include "object/memory/area-flags.h"
#include "object/memory/live/huge.h"
#include "object/memory/memory-state.h"
#include "object/memory/memory.h"
#include "object/memory/shared.h"
#include "session/session.h"
#include "session/state.h"

struct live_pages {
	struct dump *d;
	struct task *task;
	struct parasite_copy copy;
	struct parasite_process process; /* the place in it is that in the copy, too */
	page_range_list ranges;
	bool is_chosen; /* the ranges are known */
};

static void end_copy(void *state)
{
	struct live_pages *live = state;

	if (live->copy.pid)
		parasite_copy_end(&live->copy, live->task->pid, live->d->watch);
	vector_done(&live->ranges);
}

static const struct state_type live_state = { sizeof(struct live_pages), end_copy };

/* A child would be born into a namespace that nobody lives in yet, and take it with it. */
static bool has_other_namespace_for_children(const struct task *task)
{
	static const char *const names[][2] = { { "ns/pid", "ns/pid_for_children" },
						{ "ns/time", "ns/time_for_children" } };
	struct stat own, next;

	for (int i = 0; i < 2; i++)
		if (fstatat(task->dump->proc, names[i][0], &own, 0) == 0 &&
		    (fstatat(task->dump->proc, names[i][1], &next, 0) < 0 || own.st_ino != next.st_ino))
			return true;
	return false;
}

/* What a child would not have, or not for long: the pages of hugetlbfs are its parent's, who may take them back. */
static const char *what_prevents(const struct task *task)
{
	const struct mappings *mappings = &task->dump->mappings;

	for (size_t i = 0; i < mappings->n; i++) {
		const uint64_t flags = mappings->items[i].vm_flags;

		if (mappings->items[i].shared)
			continue;
		if (flags & (VMF(UM) | VMF(UW) | VMF(UI)))
			return "a userfaultfd watches its memory";
		if (flags & (VMF(WF) | VMF(DC)) && mappings->items[i].anonymous_kb)
			return "it has memory that no child gets (MADV_DONTFORK, MADV_WIPEONFORK)";
		if (flags & VMF(HT))
			return "it has pages of hugetlbfs";
	}
	return has_other_namespace_for_children(task) ? "its children live in other namespaces" : NULL;
}

static int make_copy(struct dump *d, struct task *task, struct live_pages *live)
{
	const struct thread_dump *leader = task->leader->dump;
	AUTO_CLOSE int mem = openat(task->dump->proc, "mem", O_RDWR | O_CLOEXEC);

	if (mem < 0)
		return fail_errno("opening its memory");
	live->process = (struct parasite_process){
		.tid = task->pid,
		.proc = task->dump->proc,
		.mem = mem,
		.state = { leader->state, leader->alone, leader->sigmask },
		.watch = d->watch,
	};
	TRY(parasite_find_place(mem, task->pid, &task->dump->mappings, leader->state, d->parasite_cache,
				&live->process.place));
	return parasite_copy_make(&live->process, &d->progress->deadline, &live->copy);
}

int memory_live_keep(struct dump *d, struct task *task)
{
	struct live_pages *live;
	const char *why;
	int error = memory_ahead_keep(d, task);

	if (error)
		return error;
	why = what_prevents(task);
	if (why) {
		log_warn("its memory is copied while it stands still: %s", why);
		return 0;
	}
	live = state_make(&task->dump->states, &live_state);
	live->d = d;
	live->task = task;
	live->copy.mem = -1;
	error = make_copy(d, task, live);
	if (error == -EAGAIN || error == -ENOMEM) {
		log_warn("its memory is copied while it stands still: it may not have one child more (%s)",
			 error == -EAGAIN ? "EAGAIN: a limit of processes" : "ENOMEM");
		return 0;
	}
	TRY(error);
	/* A copy has no marks of what was written to since the parent images were made. */
	if (memory_dump_state(d)->parent)
		TRY(memory_choose_pages(d, task, task->dump->proc, &live->ranges));
	live->is_chosen = memory_dump_state(d)->parent;
	return 1;
}

/* NULL: it has none, or not any more. */
static struct live_pages *live_pages_of(const struct task *task)
{
	struct live_pages *live = task->dump ? state_find(&task->dump->states, &live_state) : NULL;

	return live && live->copy.pid ? live : NULL;
}

static int choose_in_copy(struct dump *d, struct task *task, struct live_pages *live)
{
	AUTO_CLOSE int proc = proc_open(live->copy.pid);

	if (!live->is_chosen) {
		TRY(proc);
		TRY(memory_choose_pages(d, task, proc, &live->ranges));
	}
	for (size_t i = 0; i < live->ranges.n; i++)
		live->ranges.items[i].flags |= PAGE_SHARED;
	return 0;
}

static int save_copy(struct dump *d, struct task *task, struct live_pages *live)
{
	const struct page_source source = { .pid = live->copy.pid, .mem = live->copy.mem };

	return memory_save_pages(d, task, &source, &live->ranges);
}

struct preparation {
	struct dump *d;
	bool huge; /* memory may move into huge pages */
	int result;
};

static bool prepare_task(void *arg, pid_t pid, int proc)
{
	struct preparation *preparation = arg;
	AUTO(mappings_done) struct mappings mappings = { 0 };
	uint64_t moved = 0;

	if (mappings_read_running(proc, MAPPINGS_FULL, &mappings) < 0)
		return false;
	memory_early_note(preparation->d, pid, proc, &mappings);
	if (preparation->huge)
		preparation->result = memory_move_to_huge(pid, proc, &mappings, &moved);
	if (preparation->result == 0)
		preparation->result = memory_ahead_begin(preparation->d, pid, proc, &mappings, moved);
	return preparation->result < 0;
}

int memory_live_prepare(struct dump *d)
{
	struct preparation preparation = { .d = d };

	/* What is moved counts as written to, where soft-dirty bits tell that. */
	preparation.huge = memory_dump_state(d)->tracking != TRACKING_SOFT_DIRTY && memory_huge_is_allowed();
	running_visit_tree(d->options->pid, d->task_iter, NULL, prepare_task, &preparation);
	TRY(preparation.result);
	TRY(memory_early_copy(d));
	memory_flags_learn(d, true);
	TRY(memory_ahead_copy(d));
	TRY(memory_early_copy_again(d));
	/* This took time, but nobody stood still. */
	d->progress->deadline = deadline_in_seconds(d->options->timeout);
	return 0;
}

int memory_live_save(struct dump *d)
{
	struct live_pages *live;
	struct task *task;

	/* Whoever waits for the other end of a pipe must not wait for us. */
	for_each_task(task, d->tree)
		if ((live = live_pages_of(task)))
			TRY(parasite_copy_close_files(&live->process, &live->copy, d->pool));
	memory_ahead_let_go(d);
	memory_early_let_go(d);
	for_each_task(task, d->tree)
		if ((live = live_pages_of(task)))
			TRY(choose_in_copy(d, task, live));
	for_each_task(task, d->tree) {
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		if (task_is_live(task))
			TRY(memory_ahead_save(d, task));
		live = live_pages_of(task);
		if (!live)
			continue;
		TRY(save_copy(d, task, live));
		parasite_copy_end(&live->copy, task->pid, d->watch);
	}
	TRY(memory_dump_early(d));
	return memory_sink(d)->ops->finish(memory_sink(d));
}

void memory_live_end(struct dump *d)
{
	struct live_pages *live;
	struct task *task;

	for_each_task(task, d->tree)
		if ((live = live_pages_of(task)))
			parasite_copy_end(&live->copy, task->pid, d->watch);
}
