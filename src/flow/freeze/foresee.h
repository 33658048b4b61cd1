/* SPDX-License-Identifier: GPL-2.0-only */
/* What is learnt of a tree before it stands still. */
#pragma once

#include "session/session.h"

/*
 * Looks at what takes long and seldom changes, while the tasks run. Nothing of it is sure: whoever uses it later looks
 * whether it is still so, which is quick. Also finds the programs that want to be told of the dump. Nothing fails, and
 * nothing is logged.
 */
void foresee_tree(struct dump *d);
