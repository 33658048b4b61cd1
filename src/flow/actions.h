/* SPDX-License-Identifier: GPL-2.0-only */
/* The named points of a dump or restore at which the user's scripts run (criu(8), --action-script). */
#pragma once

#include <sys/types.h>

struct dump;
struct listener;
struct options;

enum action {
	ACTION_PRE_DUMP,	 /* before anything is done */
	ACTION_NETWORK_LOCK,	 /* tasks are stopped, and have a network of their own that shall be cut off */
	ACTION_POST_DUMP,	 /* images complete, tasks still stopped */
	ACTION_NETWORK_UNLOCK,	 /* the network may be connected again; a failure is only logged */
	ACTION_PRE_STREAM,	 /* before an image streamer is connected to */
	ACTION_POST_STREAM,	 /* all of a stream is written, tasks still stopped */
	ACTION_PRE_RESTORE,	 /* before the first task is made */
	ACTION_SETUP_NAMESPACES, /* the root task exists in its new namespaces, which are empty; only if it has any */
	ACTION_POST_SETUP_NAMESPACES, /* they are filled; no other task exists */
	ACTION_POST_RESTORE,	      /* all is restored, tasks still stopped */
	ACTION_PRE_RESUME,	      /* just before they run; a failure is only logged */
	ACTION_POST_RESUME,	      /* they run; a failure is only logged */
	ACTION_STATUS_READY,	      /* a server is ready to be connected to */
	ACTION_POST_MIGRATE,	      /* the tasks run on the other side, and are dead here; a failure is only logged */
	ACTION_MIGRATE_FAILED,	      /* the tasks have not gone to another side; a failure is only logged */
	ACTION_PRE_ARRIVAL,	      /* a program is about to come from another side */
	ACTION_ARRIVAL_FAILED,	      /* it has not come; a failure is only logged */
};

/*
 * Tells the listener (NULL: nobody), then runs every --action-script, the last given first, and waits for each. root is
 * the pid of the root task, 0 if there is none yet. All are run even if one fails. Returns 0, or -EIO after one failed.
 */
int actions_run(const struct options *options, struct listener *listener, enum action action, pid_t root);
/*
 * The tasks are stopped, nothing is saved: the listener may add to --external. The session then has options of its own,
 * with what it said.
 */
int actions_query_external(struct dump *d);
