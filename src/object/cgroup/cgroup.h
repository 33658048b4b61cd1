/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Control groups: which thread is in which cgroup of every hierarchy (a set), and the directories of the cgroups with
 * their properties. The dump is the part "sets" of object/task/part.h. --manage-cgroups says what a restore does; with
 * "ignore", or for an ordinary user, none of these does anything.
 */
#pragma once

#include "session/session.h"

/* All the cgroups are there, and what must be true before a task enters them; none exists yet that was made by us on
 * failure. */
int cgroup_restore_make(struct restore *r);
/* The task was just made and is where its creator is: it goes where it belongs, and its children will be made there. */
int cgroup_restore_enter(struct restore *r, struct task *task);
/* A process of ours goes where the cgroup namespace of a task has its root. */
int cgroup_restore_enter_root(struct restore *r, const struct task *task, pid_t pid);
/* The threads of the task that are not where their leader is. */
int cgroup_restore_enter_threads(struct restore *r, struct task *task);
/* Limits and the like, which must not hinder the restore itself: everything is made, nothing runs. */
int cgroup_restore_limit(struct restore *r);
/* The last of all before the tasks are let go: cgroups that were frozen are frozen. If it fails, they are not. */
int cgroup_restore_freeze(struct restore *r);
/* The restore has failed and all tasks are dead: removes the directories that were made. */
void cgroup_restore_undo(struct restore *r);
