/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Parasites: stopped threads of a living program that run one plan for us. The order is
 *	parasite_arena_open → for each thread parasite_open → remote_post all → remote_wait all → parasite_catch all →
 * parasite_arena_close. If we die in between, every thread comes home by itself: it always carries a frame for
 * rt_sigreturn(2).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch_regs.h"
#include "lib/compel/parasite-call.h"
#include "lib/compel/remote.h"
#include "lib/compel/watch.h"

/* A stopped process, as seen through its first thread. */
struct parasite_process {
	pid_t tid;
	int proc;		     /* directory /proc/PID */
	int mem;		     /* /proc/PID/mem, for reading and writing */
	struct parasite_state state; /* of the thread */
	struct parasite_place place;
	struct parasite_watch *watch; /* may be NULL */
};

/* Maps shared memory of at least size bytes into the process, by one system call made in its first thread. */
int parasite_arena_open(const struct parasite_process *process, size_t size, struct arena **ret);
/*
 * The same at a chosen address (a multiple of the page size; 0 = anywhere). Whoever may not open /proc/PID/map_files
 * (CAP_CHECKPOINT_RESTORE) needs a memfd for sharing, which is for a moment a descriptor of the process; no_memfd
 * forbids that.
 */
int parasite_arena_open_at(const struct parasite_process *process, size_t size, uint64_t address, bool no_memfd,
			   struct arena **ret);
/* Bytes that an arena needs for one thread besides its plans. */
size_t parasite_capacity(const struct arch_thread_state *home);
/* A stopped thread of that process. What state points to must live as long as the remote. */
int parasite_open(struct arena *arena, pid_t tid, const struct parasite_state *state, struct remote **ret);
/* The remote serves another stopped thread from now on. The one before must have been caught. */
void parasite_aim(struct remote *remote, pid_t tid, const struct parasite_state *state);
/* Asks the thread to stop, so that many do it at the same time; parasite_catch() follows. */
void parasite_catch_begin(struct remote *remote);
/* Stops the thread after its plan and gives it its registers and signal mask back; it stands in a ptrace stop again. */
int parasite_catch(struct remote *remote, const struct deadline *deadline);
/*
 * Stops a thread that was sent away, wherever it is; it stays so until it is put back. A signal in the middle of the
 * plan (SIGSEGV, ...) is logged and not delivered.
 */
int parasite_halt(struct remote *remote, const struct deadline *deadline);
/* As parasite_catch() for a thread that is in a ptrace stop already. Does nothing if the thread is at home. */
int parasite_put_back(struct remote *remote);
/*
 * Instead of a plan: the thread stays in its ptrace stop. Should we die after parasite_hold() it waits before it goes
 * on, until somebody who shares our memory calls parasite_wake(), at most 5 seconds; else it goes on at once. no_calls:
 * a seccomp filter may forbid the call that waits; it burns a fraction of a second instead. parasite_unpark() gives it
 * its registers and signal mask back.
 */
int parasite_park(struct remote *remote, bool no_calls);
void parasite_hold(struct remote *remote);
int parasite_unpark(struct remote *remote);
void parasite_wake(struct remote *remote);
/* Unmaps the memory over there. All threads must have been caught. *arena is NULL afterwards. */
int parasite_arena_close(struct arena **arena, const struct parasite_process *process);

/*
 * Memory of a process that will hardly run again is left over there: nothing is kept of it here, and the watch takes it
 * away should we be killed. If the process is to run on after all, it is removed; once it is dead, it is forgotten.
 */
struct parasite_left {
	uint64_t address, size;
	int watched;
};
struct parasite_left parasite_arena_leave(struct arena **arena);
int parasite_left_remove(const struct parasite_left *left, const struct parasite_process *process);
void parasite_left_forget(const struct parasite_left *left, struct parasite_watch *watch);

/*
 * Opening and closing in halves, so that many processes make their calls side by side: parasite_call.h. In between all
 * calls may be let go on. The process must stay where it is.
 */
struct parasite_opening {
	const struct parasite_process *process;
	struct parasite_call call;
	struct arena *arena;
};
int parasite_arena_open_begin(struct parasite_opening *opening, const struct parasite_process *process, size_t size);
int parasite_arena_open_end(struct parasite_opening *opening, struct arena **ret);

struct parasite_closing {
	const struct parasite_process *process;
	struct parasite_call call;
	struct arena *arena;
	int begun;
};
int parasite_arena_close_begin(struct parasite_closing *closing, struct arena **arena,
			       const struct parasite_process *process);
int parasite_arena_close_end(struct parasite_closing *closing); /* also if it could not begin: tells why */

/* Used by remote.c: sends the thread to its plan; looks for a death or an unexpected stop, returns 1 if the thread was
 * stopped and runs on. */
int parasite_send(struct remote *remote);
int parasite_check(struct remote *remote);
