/* SPDX-License-Identifier: GPL-2.0-only */
/* The client of a service whose request is being carried out: told of the phases of action scripts, and asked. */
#pragma once

#include <sys/types.h>

struct listener {
	/* Tells the client; root as in actions_run(). 0, or -errno after the reason was logged: the action has failed.
	 */
	int (*notify)(struct listener *listener, const char *action, pid_t root);
	/*
	 * The same, with a descriptor that the client gets a copy of: restore, action "orphan-pts-master", for the
	 * master of a terminal whose slave alone was in the tree. Only if the request has options->orphan_pts_master.
	 */
	int (*pass)(struct listener *listener, const char *action, int fd);
	int connection; /* the socket we talk to the client through, whose other end a dumped task may have */
	pid_t root;	/* restore: the root task, 0 before it exists */
	int restored;	/* restore: our end of a connection that a restored task had to its service, else -1 */
};
