/* SPDX-License-Identifier: LGPL-2.1-only */
/* Inside of lib/compel: memory shared with threads that run the blob. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch_regs.h"
#include "lib/compel/parasite-call.h"
#include "lib/compel/remote.h"

struct arena {
	char *local;	      /* here */
	uint64_t address;     /* over there */
	size_t size, used;    /* the last bytes are the robust futex of life.h */
	int fd;		      /* memfd of restorers, else -1 */
	pid_t pid;	      /* the process of parasites, else 0 */
	bool holds;	      /* the word of life.h */
	bool split;	      /* over there the code cannot be written, and the rest cannot be executed */
	int watched;	      /* watch.h */
	struct remote *first; /* all remotes, for closing */
};

struct remote {
	struct arena *arena;
	struct remote *next;
	struct slot *slot;     /* here */
	uint64_t slot_address; /* over there */
	char *plan;	       /* here; room for plans, grows */
	size_t plan_capacity;
	const struct plan *posted;
	bool ahead;	    /* it was posted ahead, and nobody has waited for it */
	pid_t tid;	    /* 0: not known yet, only of a restorer in another pid namespace */
	pid_t wanted;	    /* restorers: the tid that it is made with, as it sees it itself */
	const pid_t *outer; /* and as the pid namespaces around its own see it, from inside outwards */
	unsigned n_outer;
	bool parasite;
	/* parasites only */
	struct parasite_state state;
	bool away;     /* its registers are ours */
	bool asked;    /* ... and it is about to stop */
	bool stopped;  /* ... and it stands in a ptrace stop that was reported already */
	int lost_stop; /* stop signal that came while it was away */
	void *frame;   /* here; its way home */
};

#define ARENA_MARK                                                                                            \
	4064 /* offset of a text that tells the arena of a parasite from memory of the program; the blob lies \
		in front of it */
#define ARENA_CODE   4096 /* nothing in front of it is written over there */
#define ARENA_WAKEUP 4096 /* offset of the struct wakeup */
#define ARENA_HEADER 4160

extern const char arena_mark[16];
