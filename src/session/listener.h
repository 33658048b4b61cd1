/* SPDX-License-Identifier: GPL-2.0-only */
/* The client of a service whose request is being carried out: told of the phases of action scripts, and asked. */
#pragma once

#include <sys/types.h>

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
	int connection; /* the socket we talk to the client through, whose other end a dumped task may have */
};
