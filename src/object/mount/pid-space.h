/* SPDX-License-Identifier: GPL-2.0-only */
/* proc of pid namespaces within that of the tree (task/pid-space.h), and their files that are mounted somewhere. */
#pragma once

#include <stdbool.h>

struct dump;
struct mount;
struct mount_set;
struct pid_space;
struct restore;
struct task;

/* Proc of pid namespaces within that of the tree. Dump: all supers are counted; for the record; */
int pid_space_dump(const struct dump *d);
void pid_space_note(const struct mount *mount);
/* restore: the same; */
int pid_space_load(const struct restore *r, const struct mount *mount);
/* NULL: it is no such proc; */
const struct pid_space *pid_space_shown(const struct mount *mount);
/* it is one, or hangs on one; */
bool pid_space_is_awaited(const struct mount *mount);
/* all those namespaces exist; */
bool pid_space_is_there(const struct mount *mount);
/* there are such mounts. */
bool pid_space_any(const struct mount_set *set);

int mount_restore_arrive(struct restore *r, struct task *task);
