/* SPDX-License-Identifier: GPL-2.0-only */
/* The phases ask, inside and answer of a dump. */
#pragma once

#include "session/session.h"

/* All threads of all tasks that were looked at from outside run a plan, many tasks side by side. */
int dump_inside(struct dump *d);
/* Of a tree that is to be killed our memory is left in the tasks: to take it away takes two stops of each. */
void dump_inside_clear(struct dump *d);	 /* they are to run on after all */
void dump_inside_forget(struct dump *d); /* they are dead */
