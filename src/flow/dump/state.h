/* SPDX-License-Identifier: GPL-2.0-only */
/* What the story of a dump keeps for itself. */
#pragma once

#include "session/session.h"

struct tell;

struct flow_dump {
	struct tell *tell;	    /* tell.c: programs that were told of the dump; may be NULL */
	struct dump_verify *verify; /* verify.c: may be NULL */
	struct freezer *freezer;    /* freezer.c: of --freeze-cgroup, until the tasks are let go */
	struct reaper *reaper;	    /* reaper.c: while the tree is being stopped */
	struct table *paused;	    /* freeze.c: pids that plugins were asked about */
	struct inside_left *left;   /* inside.c: our memory in tasks */
	bool will_kill;		    /* they are not to run again, if all goes well */
	bool network_cut_off;	    /* the action network-lock has run */
	bool running;		    /* the tasks run on already: dump_go_live() */
	int page_listener;	    /* --lazy-pages: who takes the memory that was left connects here; else -1 */
};

void flow_dump_begin(struct dump *d);
struct flow_dump *flow_dump_of(const struct dump *d);
