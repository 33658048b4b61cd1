/* SPDX-License-Identifier: GPL-2.0-only */
/* Making the tasks of the tree, each with its pid, its parent, its session, and its private memory. */
#pragma once

#include "session/session.h"

/* Makes the arena and all tasks and fills their private memory. */
int restore_tree(struct restore *r);
