/* SPDX-License-Identifier: GPL-2.0-only */
/* Fields of ours in pstree.img: pid namespaces within that of the tree. */
#pragma once

#include "pstree.pb-c.h"
#include "task/pid-space.h"

struct table;

/* All arrays are from the pool. */
void pid_space_write(struct pool *pool, const struct task *task, PstreeEntry *entry);
/* The threads are added. seen: all numbers that were read, of all namespaces. */
int pid_space_read(struct task_tree *tree, struct task *task, const PstreeEntry *entry, struct table *seen);
