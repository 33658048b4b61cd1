/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Restorers: new tasks and threads that have nothing of their own yet and run plans until they are complete. The first
 * is forked off this program, all others are made by STEP_CLONE. The arena lies at the same address in all of them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch_regs.h"
#include "lib/compel/remote.h"

struct plan;

/* An arena of this size at an address that is free here and in every task to be made. */
int restorer_arena_create(uint64_t address, size_t size, struct arena **ret);
void restorer_arena_close(struct arena **arena);
uint64_t restorer_arena_start(const struct arena *arena);
size_t restorer_arena_size(const struct arena *arena);

/*
 * A place for one more thread. tid: the one it will have, in its own pid namespace; parent: the pid of the parent that
 * it shall die with, as seen there, 0 for a thread or for a first task that cannot see its parent: struct
 * restorer_first.
 */
int restorer_add(struct arena *arena, pid_t tid, pid_t parent, struct remote **ret);
/* In a pid namespace of its own, the tid is another one for us: 0 as long as it is not known. Before and after the
 * thread is made. */
void restorer_set_tid(struct remote *remote, pid_t tid);

/*
 * It gets these numbers in the pid namespaces around its own, from inside outwards; those further out are as they come.
 * The memory stays with the caller.
 */
void restorer_set_outer(struct remote *remote, const pid_t *numbers, unsigned n);

/* What a first task is made with. */
struct restorer_first {
	pid_t tid; /* wanted, 0 = any */
	/* Wished for in the pid namespace around its own, 0 = any; it gets another one if that is taken. What
	   restorer_set_outer() has said goes before. */
	pid_t outer;
	bool sibling;	/* child of our parent, CLONE_PARENT */
	int parent;	/* a pidfd of ours if it is born into a pid namespace where it cannot see us, else 0 */
	uint64_t flags; /* more CLONE_* flags: new namespaces */
};

/* The same as data, for any process that has our descriptors and the same program, but not our memory. */
#define RESTORER_LEVELS 32 /* MAX_PID_NS_LEVEL of the kernel */

struct restorer_birth {
	uint64_t flags;
	int exit_signal;
	pid_t tids[1 + RESTORER_LEVELS]; /* wanted, from its own pid namespace outwards */
	size_t n_tids;
	bool outer_is_wish; /* all but the first are */
	int arena_fd;
	uint64_t arena_address, arena_size, slot_address;
	pid_t pid; /* what has become of it: as we see it, or -errno */
};

int restorer_birth_init(struct restorer_birth *birth, struct remote *remote, const struct restorer_first *first);
/* Forks the first task. It lies in the arena afterwards, with a copy of the caller's address space and descriptors
   still around it. 0, or -errno, not logged: -EEXIST if the pid is in use. */
int restorer_birth_run(struct restorer_birth *birth);
/* The same of one that has run: 0, -EEXIST, or the failure, logged. */
int restorer_birth_result(const struct restorer_birth *birth);
/* remote_tid() is what we see. */
void restorer_born(struct remote *remote, const struct restorer_birth *birth);
/* All of it, here. */
int restorer_boot(struct remote *remote, const struct restorer_first *first);

/* Appends the step that makes the thread of "made" as a child of the one that runs the plan. flags: CLONE_*;
   exit_signal 0 for threads. With ret_result the step may fail, and the offset of its result (-errno) comes back. */
int restorer_plan_clone(struct plan *plan, struct remote *made, uint64_t flags, int exit_signal, size_t *ret_result);

/* The same with the wanted tid in this many pid namespaces only, from its own outwards, and whatever comes next in the
 * others. */
void restorer_plan_clone_some(struct plan *plan, struct remote *made, uint64_t flags, int exit_signal, unsigned levels,
			      size_t *ret_result);
/* Steps of a new task. A pidfd of the coordinator in this slot, to be closed by steps of the caller; us: the number of
 * one that it was born with, 0 if it was not. */
void restorer_plan_find_us(struct plan *plan, int us, unsigned slot);
/* All descriptors but that one are closed. */
void restorer_plan_close_all(struct plan *plan, int us);
/* The thread has ended; its place is free for another one with the same tid. */
void restorer_reset(struct remote *made);

/* Waits until a thread made by restorer_boot() or restorer_plan_clone() has arrived. Its plans may be posted before. */
int restorer_wait_arrival(struct remote *remote, const struct deadline *deadline);

/* The stopped thread, which is to make a system call with a time limit, begins it with the time that is left, and is
 * interrupted: arch_wait_again(). It must be brought to another stop. */
int restorer_wait_again(struct remote *remote, struct arch_thread_state *state, uint64_t left_ns);
/*
 * A thread, in a ptrace stop inside the blob, unmaps [start, start + size) of its address space; it stands at a system
 * call exit afterwards. In three steps, each of which begins with waiting for the one before: take it in many threads
 * before the next.
 */
struct restorer_unmapping {
	struct remote *remote;
	int lost_stop;
};
int restorer_unmap_begin(struct restorer_unmapping *unmapping, struct remote *remote,
			 const struct arch_thread_state *any, uint64_t start, uint64_t size);
int restorer_unmap_go_on(struct restorer_unmapping *unmapping);
int restorer_unmap_end(struct restorer_unmapping *unmapping);
