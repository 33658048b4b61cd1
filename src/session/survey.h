/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What stands in the way? A dump that meets a refusal does not end at once: whoever loops over objects goes on with the
 * next one, so that all obstacles are told and not only the first. From then on progress->only_look is set: no
 * checkpoint will come of it, so only phases that look run any more. criu check --tree is a dump that only looks from
 * the beginning, most of the time at tasks that run (progress->tasks_run).
 *
 *	for (...)
 *		TRY(dump_go_on(d, dump_one(d, ...)));
 */
#pragma once

#include "base/fail.h"
#include "session/session.h"

/*
 * The result of a call that logs its failures. Returns 0 if the loop may go on: the call went well, or it was a
 * refusal, which is kept in d->progress->obstacle. A failure of another sort is returned, and one that another try may
 * not meet
 * (-ETIMEDOUT, -EAGAIN), after which a task is only half known; with tasks that run, they are obstacles as well.
 */
static inline int dump_go_on(const struct dump *d, int result)
{
	if (result >= 0)
		return 0;
	if (result == -EINTR)
		return result;
	if (!d->progress->tasks_run && (!failure_was_refusal() || result == -ETIMEDOUT || result == -EAGAIN))
		return result;
	if (!d->progress->obstacle)
		d->progress->obstacle = result;
	d->progress->only_look = true;
	return 0;
}

/*
 * The same for criu verify, which loads images as a restore does but goes on after failures of any sort. What is built
 * of several parts may be linked only if all of them were loaded: r->progress->damage tells. A lack of rights (-EPERM)
 * is no damage.
 */
static inline int restore_go_on(const struct restore *r, int result)
{
	if (result >= 0 || !r->needs)
		return result < 0 ? result : 0;
	if (!r->progress->damage && result != -EPERM)
		r->progress->damage = result;
	return 0;
}
