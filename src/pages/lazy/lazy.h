/* SPDX-License-Identifier: GPL-2.0-only */
/* The lazy-pages daemon: gives memory to tasks that run already. docs/MIGRATION.md tells its
 * protocol. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "pages/peer.h"

#define LAZY_SOCKET   "lazy-pages.socket" /* in the work directory */
#define LAZY_FINISHED 0x52535446u	  /* the restorer: all tasks run */

struct lazy_setup {
	struct store *store;
	unsigned n_tasks;    /* in the images */
	struct peer *server; /* who has what is not in the images, or NULL */
	int restorer;	     /* connection of criu restore */
	bool is_ours;	     /* it has started us: it is told our pids, and tells itself why it has failed */
};

/* The first message to a restorer that has started us. */
struct lazy_hello {
	pid_t server, guard;
};

/*
 * Serves until every task has all of its memory, or is gone. After a failure the tasks that lack memory are dead:
 * nobody sees zeros where something else was.
 */
int lazy_serve(const struct lazy_setup *setup);
