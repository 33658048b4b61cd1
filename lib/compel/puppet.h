/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Puppets: new tasks and threads that have nothing of their own yet and run plans until they are complete. The first is forked off this program, all others
 * are made by STEP_CLONE. The stage lies at the same address in all of them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch_regs.h"
#include "lib/compel/remote.h"

/* A stage of this size at an address that is free here and in every task to be made. */
int puppet_stage_create(uint64_t address, size_t size, struct stage **ret);
void puppet_stage_close(struct stage **stage);
uint64_t puppet_stage_start(const struct stage *stage);
size_t puppet_stage_size(const struct stage *stage);

/*
 * A place for one more thread. tid: the one it will have, in its own pid namespace; parent: the pid of the parent that it shall die with, as
 * seen there, 0 for a thread or for a first task that can't see its parent: struct puppet_first.
 */
int puppet_add(struct stage *stage, pid_t tid, pid_t parent, struct remote **ret);
/* In a pid namespace of its own, the tid is another one for us: 0 as long as it is not known. Before and after the thread is made. */
void puppet_set_tid(struct remote *remote, pid_t tid);

/* What a first task is made with. */
struct puppet_first {
	pid_t tid;	    /* wanted, 0 = any */
	bool sibling;	    /* child of our parent, CLONE_PARENT */
	int parent;	    /* a pidfd of ours if it is born into a pid namespace where it can't see us, else 0 */
	uint64_t flags;	    /* more CLONE_* flags: new namespaces */
};

/* Forks the first task; remote_tid() is what we see. It lies in the stage afterwards, with a copy of our address space and descriptors still around it. -EEXIST, not logged: the
   pid is in use. */
int puppet_boot(struct remote *remote, const struct puppet_first *first);

/* Appends the step that makes the thread of "made" as a child of the one that runs the plan. flags: CLONE_*; exit_signal 0 for
   threads. With ret_result the step may fail, and the offset of its result (-errno) comes back. */
int puppet_plan_clone(struct plan *plan, struct remote *made, uint64_t flags, int exit_signal, size_t *ret_result);

/* Waits until a thread made by puppet_boot() or puppet_plan_clone() has arrived. Its plans may be posted before. */
int puppet_wait_arrival(struct remote *remote, const struct deadline *deadline);

/* The thread, in a ptrace stop inside the blob, unmaps [start, start + size) of its address space; it stands at a system call exit afterwards. */
int puppet_unmap(struct remote *remote, const struct arch_thread_state *any, uint64_t start, uint64_t size);
