/* SPDX-License-Identifier: GPL-2.0-only */
/* The process tree to and from pstree.img. */
#pragma once

#include "task/task.h"

struct store;

int tree_write(struct store *store, const struct task_tree *tree);
/* Checks that the records form one tree and that no pid stands twice. States are set later, from the core images. */
int tree_read(struct store *store, struct task_tree *tree);
