/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers that are still in use when a task or a thread is to have them. */
#pragma once

#include "session/session.h"

/*
 * Making a task or a thread failed because its number is in use. A zombie, or one that still lends its number to a
 * session or a group, goes away when its parent reaps it, so it is worth waiting for: the tasks may just have been
 * dumped and killed. Returns 0 to try again. *waited_ms: 0 at first.
 */
int restore_wait_for_pid(const struct restore *r, pid_t pid, unsigned *waited_ms);
/* It is the number of a session or a group that has processes, be there one with this pid or not. */
bool restore_pid_has_members(pid_t pid);
