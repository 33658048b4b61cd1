/* SPDX-License-Identifier: GPL-2.0-only */
/* The client of a service whose request is being carried out: told of the phases of action scripts, and asked. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct dump;
struct meter_report;
struct opt_list;
struct pool;

struct listener {
	/* Tells the client; root as in actions_run(). 0, or -errno after the reason was logged: the action has failed.
	 */
	int (*notify)(struct listener *listener, const char *action, pid_t root);
	/* Dump, action "query-ext-files": what the client adds to --external. The texts live in the pool, the list is
	 * the caller's. */
	int (*query_external)(struct listener *listener, struct pool *pool, struct opt_list *ret);
	/*
	 * Restore, action "orphan-pts-master": the client gets a copy of this descriptor, the master of a terminal
	 * whose slave alone was in the tree. Only if the request has options->orphan_pts_master.
	 */
	int (*pass)(struct listener *listener, const char *action, int fd);
	/*
	 * Of who moves a program (src/flow/migrate/), else NULL. Dump: all is written, sent and locked, the tasks stand
	 * still. 0: they are killed now, or left stopped where it has set d->left_stopped; -errno: they run on as if
	 * nothing had been.
	 */
	int (*leave)(struct listener *listener, struct dump *d);
	bool has_left; /* leave() has run the action "post-migrate" */
	/*
	 * The same of a restore, NULL or all three: all is there, and nothing runs. -errno: nothing stays. Then right
	 * before the tasks are let go and right behind it. root as in notify().
	 */
	int (*arrive)(struct listener *listener, pid_t root);
	void (*release)(struct listener *listener, pid_t root);
	void (*arrived)(struct listener *listener, pid_t root);
	/* How far it is; left out if the client does not listen just now. Only if options->tell_progress. */
	void (*progress)(struct listener *listener, const struct meter_report *report);
	int connection; /* the socket we talk to the client through, whose other end a dumped task may have */
};

/* Do the tasks of this dump go on elsewhere at once? */
static inline bool listener_moves(const struct listener *listener)
{
	return listener && listener->leave;
}
