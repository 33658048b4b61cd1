/* SPDX-License-Identifier: GPL-2.0-only */
/* The process tree: tasks and threads, of a dump or of a restore. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"
#include "base/pool.h"
#include "core.pb-c.h"
#include "mm.pb-c.h"

enum task_state {
	TASK_ALIVE = 1,	  /* the numbers of the image format */
	TASK_DEAD = 2,	  /* a zombie */
	TASK_STOPPED = 3, /* by a signal */
	TASK_HELPER = 4,  /* made only during a restore; gone at its end */
};

struct task;
struct remote;
struct pid_space;

struct thread {
	struct task *task;
	struct list sibling; /* in task->threads, leader first */
	pid_t tid;	     /* as this program sees it, 0 before it exists */
	pid_t vtid;	     /* as the tree sees it, and the thread itself if it has no pid_space */
	pid_t *inner_tids;   /* in each pid namespace within that of the tree that it lives in, from outside inwards */
	CoreEntry *core;     /* the record of this thread */
	struct remote *remote; /* while it runs our blob */
	struct thread_dump *dump;
	struct thread_restore *restore;
};

struct task {
	struct task *parent;
	struct list children, sibling; /* sibling is a link in parent->children */
	struct list all;	       /* in tree->tasks, parents before children */
	struct list threads;
	unsigned n_threads;
	struct thread *leader; /* also there for a zombie */
	pid_t pid;	       /* as this program sees it, 0 before it exists */
	pid_t vpid, vppid, vsid, vpgid;
	/* task/pid-space.h: pid namespaces within that of the tree. */
	struct pid_space *pid_space;	  /* that it lives in; NULL: in that of the tree */
	struct pid_space *children_space; /* that its next children are born into */
	bool children_unborn;		  /* they are to be the first of a new one */
	pid_t *inner_sids, *inner_pgids;  /* as inner_tids; 0 where they cannot be seen */
	enum task_state state;
	bool is_root;	/* the first of all */
	bool is_joined; /* a further root: it came into a pid namespace of the tree from outside, by exec */
	char comm[16 + 1];
	TaskKobjIdsEntry *ids;	/* which kernel objects it shares; NULL for a zombie */
	MmEntry *mm;		/* NULL for a zombie */
	struct task_dump *dump; /* exactly one of the two is set */
	struct task_restore *restore;
};

struct task_tree {
	struct pool *pool;
	struct list tasks;
	struct task *root;
	struct pid_space *pid_spaces;
	unsigned n_tasks, n_threads, n_joined;
};

#define for_each_task(t, tree)	  list_for_each((t), &(tree)->tasks, all)
#define for_each_child(c, t)	  list_for_each((c), &(t)->children, sibling)
#define for_each_thread(th, task) list_for_each((th), &(task)->threads, sibling)

struct task_tree *task_tree_create(void);
void task_tree_destroy(struct task_tree **tree);
/* parent NULL = the root, and after it further ones. Adds the leader thread as well. */
struct task *task_tree_add(struct task_tree *tree, struct task *parent, pid_t pid);
struct thread *task_add_thread(struct task_tree *tree, struct task *task, pid_t tid);
/* Takes a task without children, or a thread that is not the leader, out of the tree. */
void task_tree_remove(struct task_tree *tree, struct task *task);
void task_remove_thread(struct task_tree *tree, struct thread *thread);
struct task *task_tree_find(const struct task_tree *tree, pid_t vpid); /* NULL if not there */
struct thread *task_tree_find_thread(const struct task_tree *tree, pid_t vtid);

/* Its ancestor that has no parent in the tree. */
const struct task *task_top(const struct task *task);
/* It came from outside, or is an orphan of such a one's session. */
bool task_is_of_joined(const struct task_tree *tree, const struct task *task);

static inline bool task_is_live(const struct task *task)
{
	return task->state == TASK_ALIVE || task->state == TASK_STOPPED;
}
