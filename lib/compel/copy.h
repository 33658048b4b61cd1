/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Copies of processes: a child that never runs and has, copy-on-write, the private memory of its parent as it was at
 * one moment. It stands in a ptrace stop of ours and dies with us. Its death sends no signal to its parent, and a plain
 * wait(2) does not see it.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "lib/compel/parasite.h"

struct parasite_copy {
	pid_t pid;
	int64_t number; /* its pid as its parent sees it */
	int mem;	/* its /proc/PID/mem */
	int watched;	/* lib/compel/watch.h */
};

/* Of a stopped process. -errno of clone(2), not logged, if the process may not have one child more. */
int parasite_copy_make(const struct parasite_process *process, const struct deadline *deadline,
		       struct parasite_copy *ret);
/* Gives up the descriptors that it shares with its parent, which may run. */
int parasite_copy_close_files(const struct parasite_process *process, const struct parasite_copy *copy,
			      struct pool *pool);
/* Kills it. Its parent runs, and is stopped for a moment to forget it. */
void parasite_copy_end(struct parasite_copy *copy, pid_t parent, struct parasite_watch *watch);
/* The same in a process all of whose threads stand still and are at home: the child is dead. */
int parasite_forget_child(const struct parasite_process *process, int64_t number);

/*
 * A userfaultfd of a process whose first thread stands still; others may run. It is made by a child that has the memory
 * of the process, and descriptors of its own: so the process never has it in its table, and it ends with us. -errno of
 * clone(2) or userfaultfd(2), not logged, if it may not be made.
 */
int parasite_make_userfaultfd(const struct parasite_process *process, uint64_t flags, struct pool *pool,
			      const struct deadline *deadline, int *ret);
