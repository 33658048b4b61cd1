/* SPDX-License-Identifier: GPL-2.0-only */
/* The last moment of a restore. */
#pragma once

#include "session/session.h"

/* All is there. Fails if a signal has come, for the last time; whoever moves the program says whether it may run here.
 */
int restore_await_word(struct restore *r);
/* Every thread stands in a ptrace stop and is complete. Killed in here, we leave all tasks or none. */
void restore_let_go(struct restore *r);
