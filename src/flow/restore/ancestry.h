/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who must fork whom, and when, so that parents, sessions and process groups come out as they were. A task gets its
 * session from its creator at the moment of the fork; so a member of a session that its parent has left, or never was
 * in, is forked by another member and given to the parent by CLONE_PARENT. A leader that is dead is played by a helper
 * that ends when all is done; and where no member is a child of the parent, a helper becomes one as orphans do.
 */
#pragma once

#include "session/session.h"

/* Sets task->restore->creator and ->early of all tasks, adds helpers to the tree. Refuses what cannot be built. */
int ancestry_plan(struct restore *r);
