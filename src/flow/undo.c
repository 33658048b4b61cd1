/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * criu undo: what a dump has left, should it have been killed in the middle, or been told to leave the tasks stopped.
 * What a checkpoint needs that can still be restored is left alone, unless it is given up by --discard.
 */
#include "flow/undo.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/pool.h"
#include "engine/engine.h"
#include "flow/dump/session.h"
#include "flow/dump/task.h"
#include "flow/freeze/freeze.h"
#include "flow/freeze/freezer.h"
#include "flow/dump/leftovers.h"
#include "flow/freeze/thaw.h"
#include "flow/migrate/remains.h"
#include "flow/undo-links.h"
#include "image/blocks/store-blocks.h"
#include "image/image.h"
#include "image/inventory.h"
#include "image/record.h"
#include "image/store.h"
#include "kern/pidfd.h"
#include "kern/proc/proc.h"
#include "lib/compel/parasite.h"
#include "object/memory/memory.h"
#include "object/net/net.h"
#include "session/session.h"

struct undoing {
	const struct options *options;
	struct undone *undone;
	struct store *store; /* the images, whole or not */
	struct inventory inventory;
	bool is_complete; /* there is an inventory */
	bool is_left;	  /* by a migration whose outcome nobody knows */
	struct left_note note;
};

#define SAY(list, ...) (*vector_push(list) = pool_printf((undoing)->undone->pool, __VA_ARGS__))

/* --- what is in the tasks --- */

static int remove_arenas(struct undoing *undoing, struct dump *d, struct task *task)
{
	AUTO_CLOSE int mem = -1;
	const struct thread_dump *leader = task->leader->dump;
	struct parasite_process process = {
		.tid = task->pid,
		.proc = task->dump->proc,
		.state = { leader->state, leader->alone, leader->sigmask },
	};

	if (!task->dump->n_leftovers)
		return 0;
	process.mem = mem = openat(task->dump->proc, "mem", O_RDWR | O_CLOEXEC);
	if (mem < 0)
		return fail_errno("opening its memory");
	TRY(parasite_find_place(mem, task->pid, &task->dump->mappings, leader->state, d->parasite_cache,
				&process.place));
	TRY(leftovers_unmap(task, &process));
	for (size_t i = 0; i < task->dump->n_leftovers; i++)
		SAY(&undoing->undone->done, "task %d (%s): unmapped the memory that criu had left at %#lx", task->vpid,
		    task->comm, (unsigned long)task->dump->leftovers[i].start);
	return 0;
}

static int remove_trackers(struct undoing *undoing, struct dump *d, struct task *task)
{
	const unsigned n = task->dump->n_trackers;

	TRY(memory_track_prepare(d, task, false));
	TRY(memory_track_renew(d, task));
	if (n)
		SAY(&undoing->undone->done, "task %d (%s): closed %u userfaultfd%s by which its memory was tracked",
		    task->vpid, task->comm, n, n == 1 ? "" : "s");
	return 0;
}

static int clean_task(struct undoing *undoing, struct dump *d, struct task *task)
{
	TRY(dump_task_look(d, task));
	TRY(remove_arenas(undoing, d, task));
	return remove_trackers(undoing, d, task);
}

/* --- tasks that stand --- */

/* The images tell whether it ran before; a task that was stopped by others stays so. */
static bool was_running(struct undoing *undoing, const struct task *task)
{
	CoreEntry *core;
	int error;

	if (undoing->is_left)
		return undoing->options->discard;
	error = image_read_one(undoing->store, IMAGE_CORE, &core, (uint64_t)task->vpid);

	return error == 0 && core->tc && core->tc->task_state == TASK_ALIVE;
}

/* In a stop by a signal; our own stop does not count. */
static bool is_stopped(const struct task *task)
{
	return task->state == TASK_STOPPED;
}

static void let_run(struct undoing *undoing, const struct task *task)
{
	if (!is_stopped(task))
		return;
	if (undoing->is_left && !undoing->options->discard)
		return;
	if (!was_running(undoing, task)) {
		SAY(&undoing->undone->left,
		    "task %d (%s) is stopped; the images do not say that criu did it: kill -CONT %d", task->vpid,
		    task->comm, task->pid);
		return;
	}
	if (kill(task->pid, SIGCONT) == 0)
		SAY(&undoing->undone->done, "task %d (%s): was left stopped, and runs on", task->vpid, task->comm);
}

/* --- the tree --- */

static int clean_tree(struct undoing *undoing, struct dump *d)
{
	struct task *task;
	int result = 0;

	TRY(freeze_tree(d));
	for_each_task(task, d->tree) {
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		int error;

		if (!task_is_live(task))
			continue;
		error = clean_task(undoing, d, task);
		result = result ?: error;
	}
	for_each_task(task, d->tree)
		if (task_is_live(task))
			undo_links(task->dump->proc, undoing->options->discard, undoing->undone);
	return result;
}

/* The lock before the tasks run: what they say must be heard. */
static int unlock_tree(struct undoing *undoing, struct dump *d)
{
	struct task *task;
	int result = 0;

	for_each_task(task, d->tree) {
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		int error;

		if (!task_is_live(task) || !undoing->is_complete)
			continue;
		error = network_undo(undoing->store, &undoing->inventory, task->dump->proc);
		if (error > 0)
			SAY(&undoing->undone->done, "removed the network lock of task %d (%s)", task->vpid, task->comm);
		result = error < 0 ? error : result;
	}
	return result;
}

static int undo_tree(struct undoing *undoing)
{
	struct options own = *undoing->options;
	struct progress progress = { .only_look = true };
	struct dump d = { .progress = &progress };
	struct task *task;
	int error, unlocked;

	own.freeze_cgroup = NULL;
	error = dump_begin(&d, &own);
	progress.only_look = false;
	if (error == 0)
		error = clean_tree(undoing, &d);
	unlocked = d.tree && d.tree->root ? unlock_tree(undoing, &d) : 0;
	if (d.tree) {
		release_tree(&d);
		for_each_task(task, d.tree)
			if (task_is_live(task))
				let_run(undoing, task);
		thaw_tree(&d);
	}
	dump_end(&d);
	return error ?: unlocked;
}

/* --- without a tree --- */

static int undo_checkpoint(struct undoing *undoing)
{
	int unlocked;

	if (!undoing->is_complete)
		return 0;
	if (!undoing->options->discard) {
		SAY(&undoing->undone->left,
		    "the checkpoint of %s is complete: restore it, or give it up by criu undo --discard; then its "
		    "network lock is removed, and its inventory",
		    undoing->options->images_dir);
		return 0;
	}
	unlocked = network_undo(undoing->store, &undoing->inventory, -1);
	if (unlocked > 0)
		SAY(&undoing->undone->done, "removed the network lock");
	return unlocked < 0 ? unlocked : 0;
}

static int discard_inventory(struct undoing *undoing)
{
	AUTO(store_close) struct store *store = NULL;

	if (!undoing->options->discard || !undoing->is_complete)
		return 0;
	TRY(store_open_dir(undoing->options->images_dir_fd, true, &store));
	inventory_remove(store);
	SAY(&undoing->undone->done, "removed inventory.img: %s is no checkpoint any more",
	    undoing->options->images_dir);
	return 0;
}

static int thaw_cgroup(struct undoing *undoing)
{
	const char *path = undoing->options->freeze_cgroup;
	int thawed = path ? freezer_undo(path) : 0;

	if (thawed > 0)
		SAY(&undoing->undone->done, "thawed the cgroup %s", path);
	return thawed < 0 ? thawed : 0;
}

/* The migration has no images here: who lets the tree go on gives up that it may run on the other side. */
static void look_for_migration(struct undoing *undoing)
{
	const struct left_note *note = &undoing->note;

	undoing->is_left = remains_find(undoing->options->pid, &undoing->note);
	if (!undoing->is_left)
		return;
	if (!undoing->options->discard) {
		SAY(&undoing->undone->left,
		    "the tree stands still since its migration %s to %s, and may run there: criu migrate --ask %s %s. "
		    "If "
		    "it does not, criu undo -t %d --discard lets it go on here; if it does, kill it here",
		    note->id, note->destination, note->id, note->destination, note->root);
		return;
	}
	undoing->inventory.lock = (enum inventory_lock)note->lock;
	snprintf(undoing->inventory.run_id, sizeof(undoing->inventory.run_id), "%s", note->run_id);
	undoing->is_complete = note->lock == INVENTORY_LOCK_NFTABLES;
}

/* Those of a dump that was killed have none, or damaged ones. */
static int open_images(struct undoing *undoing)
{
	AUTO(image_close) struct image *image = NULL;
	int error;

	TRY(store_open_dir(undoing->options->images_dir_fd, false, &undoing->store));
	store_decrypt_with(undoing->store, undoing->options->decrypt_with);
	error = image_open(undoing->store, &image, IMAGE_INVENTORY);
	if (error == -ENOENT)
		return 0;
	TRY(error);
	TRY(inventory_read(undoing->store, &undoing->inventory));
	undoing->is_complete = true;
	return 0;
}

int undo_run(const struct options *options, struct undone *ret)
{
	struct undoing state = { .options = options, .undone = ret }, *undoing = &state;
	int error, next;

	ret->pool = pool_create();
	interrupt_catch("what is left of the dump is taken back in part");
	error = open_images(undoing);
	if (error == 0 && options->pid)
		look_for_migration(undoing);
	if (error == 0)
		error = thaw_cgroup(undoing);
	if (error == 0)
		error = options->pid ? undo_tree(undoing) : undo_checkpoint(undoing);
	if (error == 0 && undoing->is_left && options->discard)
		record_forget_left(undoing->note.id);
	next = error == 0 && !undoing->is_left ? discard_inventory(undoing) : 0;
	if (error == 0 && !options->pid)
		error = remains_clean(options, ret);
	store_close(&undoing->store);
	(void)interrupt_check_last();
	return error ?: next;
}

void undo_done(struct undone *undone)
{
	vector_done(&undone->done);
	vector_done(&undone->left);
	if (undone->pool)
		pool_destroy(&undone->pool);
}
