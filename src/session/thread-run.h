/* SPDX-License-Identifier: GPL-2.0-only */
/* One plan that a stopped thread of the tree runs for us, beside the big one of its state. */
#pragma once

#include "lib/compel/remote.h"
#include "session/session.h"

/*
 * The thread runs the plan and stands where it stood. read() sees the results (remote_result(), remote_value()). The
 * registers of the thread must have been read (thread->dump->state). If criu dies meanwhile, the thread runs the plan
 * to its end and goes home.
 */
int thread_run_plan(struct dump *d, struct thread *thread, const struct plan *plan,
		    int (*read)(struct remote *remote, void *arg), void *arg);
