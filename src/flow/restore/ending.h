/* SPDX-License-Identifier: GPL-2.0-only */
/* Tasks that end: zombies as they did, helpers when they are not needed any more. */
#pragma once

#include "session/session.h"

/* Tells a zombie or a helper how to end, and waits until it has. */
int restore_end_task(struct restore *r, struct task *task);
/* Lets the parent of a helper, which has ended, forget it. */
int restore_reap_helper(struct restore *r, struct task *helper);
/* Ends the helpers and lets zombies die; their parents reap what nobody shall see. */
int restore_dead(struct restore *r);
