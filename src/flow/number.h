/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers of tasks and threads in a pid namespace of their own: session/pids.h. */
#pragma once

#include "session/session.h"

/* Dump, when all stand still: the numbers of all tasks in their pid namespaces, and d->facts->inner_pids. */
int number_tree(struct dump *d);
/* The same for those that joined it later (flow/freeze/joined.h), whose numbers until then are ours. */
int number_joined(struct dump *d);
/* After that: sessions that are led from outside of the pid namespace of the tree. */
void number_sessions(struct dump *d);
/* Refuses pid namespaces whose first process is not in the tree. */
int number_check(struct dump *d);
/* Restore: the root task is there. */
int number_root(struct restore *r);
/* A task or thread was made just now, and may have got other numbers: whether it has those that it wants. */
bool number_is_right(const struct restore *r, const struct thread *thread, const struct task *parent);
/* The task, made just now as a child of this parent, gets its outer number (task->pid and that of its leader). */
int number_new_task(struct restore *r, struct task *task, const struct task *parent);
/*
 * All tasks have been killed, but maybe one that is spared: reaps those that we trace, whose deaths the first process
 * of the pid namespace waits for before it ends. That one stays.
 */
void number_reap(struct task_tree *tree, const struct task *spared);
/* Restore: the same for all threads of a task, made just now. */
int number_new_threads(struct restore *r, struct task *task);
