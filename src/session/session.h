/* SPDX-License-Identifier: GPL-2.0-only */
/* What every moment of a dump or of a restore is given. No kinds, no order of things. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/deadline.h"
#include "base/pool.h"
#include "image/image.h"
#include "kern/kcmp.h"
#include "kern/proc/maps.h"
#include "kern/proc/stat.h"
#include "kern/proc/status.h"
#include "options/options.h"
#include "task/task.h"

struct workers;
struct stats;

/* Registers of a thread as they are put back: opaque outside arch/. */
struct arch_thread_state;

struct thread_dump {
	struct proc_status status; /* of this thread (/proc/PID/task/TID/status) */
	struct arch_thread_state *state;
	bool stopped_in_syscall;
};

struct task_dump {
	int proc;		   /* directory /proc/PID */
	int pidfd;
	struct proc_stat stat;
	struct mappings mappings;
	bool was_stopped;	   /* group-stopped before we came */
	uint32_t first_with_files; /* pid of the first task with this descriptor table, own pid if it is the first */
};

struct dump {
	const struct options *options;
	struct store *store;
	struct task_tree *tree;
	struct pool *pool;	   /* records live here */
	struct deadline deadline;
	struct workers *workers;
	struct stats *stats;
	struct file_dump *files;   /* object/file */
	struct memory_dump *memory; /* object/memory */
	struct seccomp_dump *seccomp; /* object/task/seccomp.c */
	struct inventory *inventory;
};

struct thread_restore {
	struct arch_thread_state *state;
};

struct task_restore {
	int proc;		/* directory /proc/PID of the new task, -1 before it exists */
	int pidfd;
	int coordinator_fd;	/* number, in the task, of a pidfd of the coordinator (STEP_GETFD) */
	struct task *creator;	/* who clones it: the parent, or a sibling with CLONE_PARENT */
	struct task *memory_from; /* the task whose memory it shares (CLONE_VM), else NULL */
	struct task *files_from;  /* the task whose descriptor table it shares, else NULL */
	FsEntry *fs;
	void *memory;		/* object/memory */
};

struct restore {
	const struct options *options;
	struct store *store;
	struct task_tree *tree;
	struct pool *pool;
	struct deadline deadline;
	struct workers *workers;
	struct stats *stats;
	struct stage *stage;
	struct inventory *inventory;
	struct file_set *files;	   /* object/file */
	struct shared_set *shared; /* object/memory: shared memory objects */
	struct seccomp_set *seccomp;
};
