/* SPDX-License-Identifier: GPL-2.0-only */
/* Making the tasks of the tree, each with its pid, its parent, its session, and its private memory. */
#pragma once

#include "session/session.h"

/* Makes the arena and all tasks and fills their private memory. */
int restore_tree(struct restore *r);
/* Groups can only be joined when all tasks of a session are there. */
int restore_groups(struct restore *r);
/* Ends the helpers and lets zombies die; their parents reap what nobody shall see. */
int restore_dead(struct restore *r);
/*
 * Making a task or a thread failed because its number is in use. A zombie, or one that still lends its number to a
 * session or a group, goes away when its parent reaps it, so it is worth waiting for: the tasks may just have been
 * dumped and killed. Returns 0 to try again. *waited_ms: 0 at first.
 */
int restore_wait_for_pid(const struct restore *r, pid_t pid, unsigned *waited_ms);
/* Kills everything that was made. */
void restore_kill(struct restore *r);
