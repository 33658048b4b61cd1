/* SPDX-License-Identifier: GPL-2.0-only */
/* Tasks and threads go into the cgroups of their sets, and are frozen there if they were. */
#pragma once

#include <sys/types.h>

struct cg_directory;
struct restore;
struct task;

/* One that is frozen would not let anybody in who has to go on: thaws it, and remembers that. */
int cgroup_thaw_found(struct restore *r, struct cg_directory *directory);
/* The restore has failed: freezes it again. */
void cgroup_freeze_found(const struct cg_directory *directory);

/* The task was just made and is where its creator is: it goes where it belongs, and its children will be made there. */
int cgroup_restore_enter(struct restore *r, struct task *task);
/* A process of ours goes where the cgroup namespace of a task has its root. */
int cgroup_restore_enter_root(struct restore *r, const struct task *task, pid_t pid);
/* The threads of the task that are not where their leader is. */
int cgroup_restore_enter_threads(struct restore *r, struct task *task);
/* The tasks need not run any more: cgroups that were frozen are frozen. */
int cgroup_restore_freeze(struct restore *r);
/* The tasks are to be killed: cgroups of theirs that are frozen now are thawed. */
void cgroup_restore_thaw(struct restore *r);
