/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pid namespaces within that of the tree, to any depth. A thread that lives in one has, besides the number that the
 * tree sees (vtid), one in each of them on the way inwards; the last is what it sees itself.
 */
#pragma once

#include "task/task.h"

struct pid_space {
	struct pid_space *next;	  /* in tree->pid_spaces, outer ones first */
	struct pid_space *parent; /* NULL: that of the tree */
	unsigned depth;		  /* 1: within that of the tree */
	uint32_t id;		  /* in pstree.img, from 1 on */
	ino_t inode;		  /* dump */
	struct task *first;	  /* its first process, alive or a zombie */
	int fd;			  /* restore: a descriptor as soon as it exists; -1 */
};

#define for_each_pid_space(space, tree) for ((space) = (tree)->pid_spaces; (space); (space) = (space)->next)

struct pid_space *pid_space_add(struct task_tree *tree, struct pid_space *parent);
/* Sets the first process of each; NULL where it is not in the tree. */
void pid_spaces_find_first(struct task_tree *tree);
/* NULL stands for that of the tree. */
bool pid_space_is_within(const struct pid_space *space, const struct pid_space *around);

/* The number of the thread in that namespace (NULL: of the tree); 0: it cannot be seen there. */
pid_t thread_tid_in(const struct thread *thread, const struct pid_space *space);
/* What it sees itself. */
pid_t thread_own_tid(const struct thread *thread);
pid_t task_own_pid(const struct task *task);
/* What the other one sees. */
pid_t task_pid_for(const struct task *task, const struct task *viewer);
/* What a member of the group sees; 0: its leader cannot be seen there. The leader is in the tree. */
pid_t task_own_pgid(const struct task_tree *tree, const struct task *task);
