/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Both ends of a pipe or of a pair of sockets, made by the task that has them. Most programs have made them so, and
 * nobody else has them: one system call then makes them at their numbers, where copies through criu take ten.
 */
#include "object/file/twins.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fail.h"
#include "engine/engine.h"
#include "plan/plan.h"
#include "session/ids.h"

void file_maker_ask(const struct restore *r, struct file_maker *ret)
{
	ret->is_us = !r->facts->ids && !r->facts->inner_users;
	ret->uid = restore_maker_uid(r);
	ret->gid = restore_maker_gid(r);
}

/* At one number of one table, and wanted by nobody else: it needs no descriptor of ours. */
static bool is_its_own(const struct restore *r, const struct task *task, const struct file *f,
		       const struct file_maker *maker, mode_t mode)
{
	const InodeOwnerEntry *owner = f->entry->owner;

	return f->fd < 0 && f->users == 1 && f->n_numbers == 1 && f->owner == task && !f->placed_in && owner &&
	       owner->mode == mode && restore_outer_uid(r, owner->uid) == maker->uid &&
	       restore_outer_gid(r, owner->gid) == maker->gid;
}

static int plan_end(struct restore *r, struct task *task, struct file *f)
{
	TRY(phase_pass_restore(r, PHASE_restore_create, "file", f->kind->name));
	f->placed_in = task;
	f->placed_at = f->owner_fd;
	f->made_there = true;
	return 0;
}

int file_plan_twins(struct restore *r, struct task *task, struct file *f, const struct file_maker *maker,
		    struct plan *p)
{
	struct file_twins twins = { 0 };
	int flags = 0;

	if (!f->kind->twins || f->fd >= 0 || f->users != 1 || !maker->is_us || r->options->inherit_fds.n ||
	    !f->kind->twins(r, f, &twins) || !is_its_own(r, task, twins.ends[0], maker, twins.mode) ||
	    !is_its_own(r, task, twins.ends[1], maker, twins.mode))
		return 0;
	for (int i = 0; i < 2; i++) {
		TRY(plan_end(r, task, twins.ends[i]));
		flags |= twins.ends[i]->owner_cloexec << i;
	}
	plan_step(p, f->kind->name, STEP_TWINS,
		  (const struct plan_arg[]){ V(twins.flags), V(twins.ends[0]->owner_fd), V(twins.ends[1]->owner_fd),
					     V(flags) },
		  4)
		->nr = (uint16_t)twins.call;
	return 1;
}
