/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A tree that lives in a pid namespace of its own has other numbers than those that we see (d->facts->inner_pids,
 * r->facts->inner_pids). Images hold what the tree sees: vpid, vtid, vsid, vpgid. What the kernel tells us, and what we
 * tell it, are our numbers: pid, tid. Steps that a task runs have the numbers that it sees itself (task/pid-space.h):
 * the tree's, unless it lives in a pid namespace within that of the tree.
 */
#pragma once

#include "session/session.h"
#include "task/pid-space.h"

/* The tree's number of a process, thread, group or session; 0 for one that it cannot see. */
pid_t dump_inner_pid(const struct dump *d, pid_t outer);
/* Our number; 0 if it is not (or not yet) there. */
pid_t restore_outer_pid(const struct restore *r, pid_t inner);
