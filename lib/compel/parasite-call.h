/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * One system call made by a stopped thread, in such a way that the thread comes home even if we die in the middle: it
 * runs "syscall; ret" that it finds in its own code, with a stack that we prepare in memory where nothing lives; on it
 * lie the address of its own "rt_sigreturn" and a frame with all its registers.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch_regs.h"

struct mappings;
struct parasite_cache;

/* So many bytes at the end of the scratch are not part of the way home: the call may read and write there. */
#define PARASITE_SPARE 64

/* Where a process has what we need. */
struct parasite_place {
	uint64_t syscall_ret, sigreturn; /* code; sigreturn 0 = none found, the call is not protected */
	uint64_t scratch;		 /* never touched memory, 0 = none found */
	size_t scratch_size;
	uint64_t room; /* where nothing is mapped far and wide, 0 = nowhere */
};

/* Remembers where programs and libraries have the code, as many processes of a tree run the same. */
struct parasite_cache *parasite_cache_create(void);
void parasite_cache_destroy(struct parasite_cache **cache);

/* Of a process that runs: what there is to remember of it, so that it need not be looked for when it stands still. */
void parasite_look_ahead(struct parasite_cache *cache, pid_t pid, const struct mappings *mappings);

/* How a stopped thread goes on. All of it stays the caller's. */
struct parasite_state {
	struct arch_thread_state *home;	 /* its registers, to be put back by ptrace */
	struct arch_thread_state *alone; /* the same for rt_sigreturn(2): an interrupted call is made again without the
					    kernel's help */
	uint64_t sigmask;
};

/* Of a stopped thread that has its own registers. */
int parasite_read_state(pid_t tid, struct pool *pool, struct parasite_state *ret);

/* mem: /proc/PID/mem; home: registers of the first thread. cache may be NULL. */
int parasite_find_place(int mem, pid_t pid, const struct mappings *mappings, const struct arch_thread_state *home,
			struct parasite_cache *cache, struct parasite_place *ret);

/*
 * What must lie at place->scratch (place->scratch_size bytes) for a system call from which the thread goes home by
 * itself. Returns the stack pointer for it, 0 if the process has no place for that.
 */
uint64_t parasite_write_sigframe(const struct parasite_place *place, const struct parasite_state *state, void *to);

/*
 * One call in several steps, so that many threads make theirs side by side: begin all, let all go on, end all. What it
 * points to stays the caller's. After a begin that went well there must be an end: it gives the thread its registers
 * and signal mask back, also when a step has failed. *ret is what the call returned (or -errno). -ETIMEDOUT: the thread
 * does not stand still; it goes home by itself, if place has what that takes, and is to be let go.
 */
struct parasite_call {
	pid_t tid;
	int mem; /* /proc/PID/mem */
	const struct parasite_place *place;
	const struct parasite_state *state;
	struct deadline deadline; /* of each step */
	const void *spare;	  /* what the call finds at parasite_spare(); NULL: zeros */
	/* inside */
	enum parasite_call_stage { PARASITE_CALL_NONE, PARASITE_CALL_TO_ENTRY, PARASITE_CALL_TO_EXIT } stage;
	int failure; /* the first */
	bool protected;
	long nr;
	uint8_t *old; /* what was on the stack */
	int lost_stop;
};

/* Where the spare bytes of a call lie, 0 = nowhere. */
uint64_t parasite_spare(const struct parasite_place *place);

int parasite_call_begin(struct parasite_call *call, long nr, const uint64_t args[6]);
int parasite_call_go_on(struct parasite_call *call);
int parasite_call_end(struct parasite_call *call, int64_t *ret);

/* The same in one. mem: /proc/PID/mem. */
int parasite_call(pid_t tid, int mem, const struct parasite_place *place, const struct parasite_state *state, long nr,
		  const uint64_t args[6], const struct deadline *deadline, int64_t *ret);
