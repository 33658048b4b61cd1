/* SPDX-License-Identifier: GPL-2.0-only */
/* Stopping a tree of tasks and letting it go. */
#pragma once

#include "session/session.h"

/*
 * Finds and stops the tree below d->options->pid: every thread stands in a ptrace stop, d->tree is filled (states, ids
 * of sessions and groups, thread_dump status). Zombies are found, not stopped.
 */
int freeze_tree(struct dump *d);
